"""Objects that end at a segment's edge although they are still plausible: what the next segment has to go on with."""

from collections.abc import Sequence
from dataclasses import replace

from core.formats.sparse_annotations import SparsePrompt
from core.long_video.plan import Direction, Plausible, Seed
from core.long_video.stitch import OverlapObservations


def carry_over(
    objects: Sequence[Plausible], here: OverlapObservations, there: OverlapObservations, direction: Direction
) -> list[Plausible]:
    """Objects seen `here`, in the overlap with another segment, of which that one sees nothing in the overlap.

    Each goes on from the mask nearest to the other segment, until it is no longer plausible or is annotated again.
    """
    found = []
    for one in objects:
        if one.obj_id not in here.objects or one.obj_id in there.objects:
            continue
        frame = here.last(one.obj_id) if direction == "forward" else here.first(one.obj_id)
        span = next((span for span in one.spans if frame is not None and span[0] <= frame <= span[1]), None)
        if frame is None or span is None:
            continue
        annotated = [seed.shown.frame for seed in one.seeds]
        if direction == "forward":
            run = (frame, min([span[1], *(other - 1 for other in annotated if other > frame)]))
        else:
            run = (max([span[0], *(other + 1 for other in annotated if other < frame)]), frame)
        if run[0] < run[1]:
            mask = here.frames[frame][one.obj_id]
            shown = SparsePrompt(frame=frame, mask=mask.rle)
            seed = Seed(shown=shown, since=mask.since, since_s=mask.since_s, score=mask.score)
            found.append(replace(one, spans=(run,), seeds=(seed,)))
    return found
