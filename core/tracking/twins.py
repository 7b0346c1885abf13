"""Objects of one label that lie on each other: one object that was begun twice, or two of which one hides the other."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from core.masks.boxes import iou_matrix
from core.masks.overlap import mask_iou
from core.tracking.track import Rules, Track

_APART_IOU = 0.1  # of boxes: they hardly touch


@dataclass(frozen=True, eq=False)
class Twins:
    """Two objects that lie on each other: `old` was prompted by hand or begun earlier; `distinct`: they were seen
    apart, and so are not one object begun twice."""

    old: Track
    young: Track
    distinct: bool


def find_twins(tracks: Iterable[Track], rules: Rules) -> list[Twins]:
    """Objects that lie on others, each with the oldest that it lies on; notes which ones are seen apart."""
    seen = sorted((track for track in tracks if track.box is not None), key=lambda one: (not one.kept, one.obj_id))
    boxes = [track.box for track in seen if track.box is not None]
    overlap = iou_matrix(boxes, boxes)
    for row, column in np.argwhere(np.triu(overlap < _APART_IOU, k=1)):
        young = seen[column]
        frames = young.apart.get(seen[row].obj_id, 0)
        if frames < rules.apart_frames:
            young.apart[seen[row].obj_id] = frames + 1
    # Masks are compared only where boxes have a good part in common, which costs nothing to see.
    twins: dict[int, Twins] = {}
    for row, column in np.argwhere(np.triu(overlap >= rules.twin_iou / 2, k=1)):
        old, young = seen[row], seen[column]
        if young.kept or young.obj_id in twins or old.label not in (None, young.label):
            continue
        if mask_iou(old.mask, young.mask) >= rules.twin_iou:
            twins[young.obj_id] = Twins(old, young, young.apart.get(old.obj_id, 0) >= rules.apart_frames)
    return list(twins.values())


def hidden_one(twins: Twins, time_s: float) -> Track:
    """Of two objects that are in one place, the one that is expected to be elsewhere: it is hidden by the other."""
    if twins.old.kept:
        return twins.young

    def fit(track: Track) -> float:
        box, expected = track.box, track.expected(time_s)
        return 1.0 if box is None or expected is None else float(iou_matrix([box], [expected])[0, 0])

    return twins.old if fit(twins.old) < fit(twins.young) else twins.young
