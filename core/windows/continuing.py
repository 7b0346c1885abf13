"""Objects that end at a window's edge although they are still plausible: what the next window has to go on with."""

from collections.abc import Sequence

from core.formats.sparse_annotations import SparsePrompt
from core.windows.plan import Direction, Followed, Plausible, Seed, Window
from core.windows.stitch import Seen


def going_on(
    objects: Sequence[Plausible], here: Seen, there: Seen, window: Window, direction: Direction
) -> list[Followed]:
    """Objects seen `here`, in the overlap with `window`, of which that window sees nothing in the overlap.

    Each is followed into `window` from the mask nearest to it, until it is no longer plausible or is annotated again.
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
            run = (frame, min([span[1], window.end - 1, *(f - 1 for f in annotated if f > frame)]))
        else:
            run = (max([span[0], window.first, *(f + 1 for f in annotated if f < frame)]), frame)
        if run[0] >= run[1]:
            continue
        mask = here.frames[frame][one.obj_id]
        seed = Seed(shown=SparsePrompt(frame=frame, mask=mask.rle), since=mask.since, since_s=mask.since_s)
        found.append(Followed(obj_id=one.obj_id, name=one.name, seeds=(seed,), runs=(run,)))
    return found
