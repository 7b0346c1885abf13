"""Results that were corrected elsewhere (in CVAT, in a COCO file …), held against what they were: as corrections."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from core.errors import RefusedInput
from core.formats.corrections import Absence, CorrectionPrompt, VideoCorrections, spans_of
from core.formats.exchange.model import SeenFrame, SeenObject, VideoResults
from core.masks import rle
from core.masks.assignment import assign
from core.masks.boxes import iou_matrix
from core.video.video_paths import common_tail

_SAME_OBJECT = 0.5  # IoU on a frame from which two marks are of one object
_UNTOUCHED = 0.9  # … from which nobody has changed it: formats with polygons or boxes lose a little


def corrections_of(edited: VideoResults, results: VideoResults) -> VideoCorrections:
    """What of results was changed: shapes become prompts, missing objects absences, names labels.

    Whose objects are whose is seen from where they lie, not from ids, which formats count anew.

    Args:
        edited: the results, as somebody corrected them.
        results: as they were.
    """
    same = _matched(edited, results)
    prompts: list[CorrectionPrompt] = []
    missing: dict[int, list[int]] = defaultdict(list)
    present: list[int] = []
    called: dict[int, str] = {}
    before: dict[int, str] = {}
    for frame, now, was in _together(edited, results):
        if was is not None:
            present.append(frame)
        known = {} if was is None else {one.obj_id: one for one in was.objects}
        for obj_id, one in known.items():
            before.setdefault(obj_id, one.label)
        if now is None:
            continue
        seen = {same[one.obj_id]: one for one in now.objects if one.obj_id in same}
        for obj_id, one in seen.items():
            called.setdefault(obj_id, one.label)
            if obj_id not in known or _likeness(one, known[obj_id]) < _UNTOUCHED:
                prompts.append(_prompt(frame, obj_id, one))
        for obj_id in known.keys() - seen.keys():
            missing[obj_id].append(frame)
    absent = [Absence(obj_id=obj_id) for obj_id in missing if obj_id not in called]
    absent += [
        Absence(obj_id=obj_id, first=span.first, last=span.last)
        for obj_id, frames in missing.items()
        if obj_id in called
        for span in spans_of(present, frames)
    ]
    labels = {obj_id: label for obj_id, label in called.items() if obj_id in before and before[obj_id] != label}
    return VideoCorrections(prompts=prompts, absent=absent, labels=labels).joined()


def pair_videos(
    edited: Sequence[VideoResults], results: Sequence[VideoResults]
) -> list[tuple[VideoResults, VideoResults]]:
    """Which results each edited video is about: by its path or name; of one alone there is no doubt.

    Raises:
        RefusedInput: none of them is about the same video.
    """
    if len(edited) == len(results) == 1:
        return [(edited[0], results[0])]
    pairs = []
    for one in edited:
        likeness, best = max(((common_tail(one.parts, other.parts), other) for other in results), key=lambda p: p[0])
        if likeness:
            pairs.append((one, best))
    if not pairs:
        names = ", ".join(repr(one.name) for one in results[:3])
        raise RefusedInput.of("annotations", edited[0].name, f"annotations of videos of the results, as {names}")
    return pairs


def _matched(edited: VideoResults, results: VideoResults) -> dict[int, int]:
    """What an edited object is called in the results, or a new id where it is none of theirs."""
    together: Counter[tuple[int, int]] = Counter()
    ids: dict[int, None] = {}
    known: set[int] = set()
    for _, now, was in _together(edited, results):
        ids |= dict.fromkeys(one.obj_id for one in now.objects) if now is not None else {}
        known |= {one.obj_id for one in was.objects} if was is not None else set()
        if now is None or was is None or not now.objects or not was.objects:
            continue
        overlap = iou_matrix([one.box_xyxy for one in now.objects], [one.box_xyxy for one in was.objects])
        for row, column in assign(overlap, _SAME_OBJECT):
            together[now.objects[row].obj_id, was.objects[column].obj_id] += 1
    found: dict[int, int] = {}
    for (own, theirs), _ in sorted(together.items(), key=lambda one: (-one[1], one[0])):
        if own not in found and theirs not in found.values():
            found[own] = theirs
    fresh = max(known, default=0)
    for own in ids:
        if own not in found:
            fresh += 1
            found[own] = fresh
    return found


def _together(edited: VideoResults, results: VideoResults) -> Iterator[tuple[int, SeenFrame | None, SeenFrame | None]]:
    """Frames of both, ascending. A frame that `edited` lacks was not looked at, unless it has all there are."""
    now, was = iter(edited.read()), iter(results.read())
    one, other = next(now, None), next(was, None)
    while one is not None or other is not None:
        frame = min(part.source_frame for part in (one, other) if part is not None)
        mine = one if one is not None and one.source_frame == frame else None
        theirs = other if other is not None and other.source_frame == frame else None
        shown = SeenFrame(frame, theirs.time_s) if mine is None and edited.complete and theirs is not None else mine
        yield frame, shown, theirs
        one = next(now, None) if mine is not None else one
        other = next(was, None) if theirs is not None else other


def _likeness(one: SeenObject, other: SeenObject) -> float:
    if one.rle is not None and other.rle is not None and one.rle["size"] == other.rle["size"]:
        both = rle.union(one.rle, other.rle)
        area = rle.area(one.rle) + rle.area(other.rle) - rle.area(both)
        return area / max(1, rle.area(both))
    return float(iou_matrix([one.box_xyxy], [other.box_xyxy])[0, 0])


def _prompt(frame: int, obj_id: int, one: SeenObject) -> CorrectionPrompt:
    if one.rle is not None:
        return CorrectionPrompt(frame=frame, obj_id=obj_id, label=one.label, mask=one.rle)
    return CorrectionPrompt(frame=frame, obj_id=obj_id, label=one.label, box=one.box_xyxy)
