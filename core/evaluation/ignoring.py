"""What the truth says is not judged, taken out of both sides before anything is measured.

- void pixels: out of all masks, of truth and results, as davis2017-evaluation does (`db_eval_iou`, `db_eval_boundary`)
- distractors: the results matched with them are left out, after matching with all objects that the truth marks, judged
  or not, at IoU 0.5 (TrackEval, `MotChallenge2DBox`)
- regions and crowds: results that are matched with no object at IoU 0.5, and of which more than half lies in one, are
  left out (TrackEval, `MOTSChallenge`)

Average precision takes crowds as pycocotools does, instead.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace
from functools import reduce

import numpy as np
import numpy.typing as npt
from pycocotools import mask as coco
from scipy.optimize import linear_sum_assignment

from core.formats.exchange.model import Ignored, SeenFrame, SeenObject
from core.masks import rle
from core.masks.boxes import iou_matrix, xywh

_MATCHED = 0.5
_INSIDE = 0.5
_EPSILON = np.finfo(np.float64).eps
_Marked = Sequence[SeenObject | Ignored]


def without_void(truth: SeenFrame, found: SeenFrame) -> tuple[SeenFrame, SeenFrame]:
    """Both sides of a frame without the pixels that count for nobody; objects of which nothing is left are gone."""
    void = [one.rle for one in truth.ignored if one.rule == "void" and one.rle is not None]
    if not void:
        return truth, found
    judged = ~rle.decode(reduce(rle.union, void))

    def kept(one: SeenObject) -> SeenObject | None:
        if one.rle is None:
            return one
        mask = rle.encode(np.asarray(rle.decode(one.rle) & judged, np.bool_))
        return replace(one, rle=mask, box_xyxy=rle.box_xyxy(mask)) if rle.area(mask) else None

    sides = (tuple(one for one in map(kept, frame.objects) if one is not None) for frame in (truth, found))
    first, second = sides
    return replace(truth, objects=first), replace(found, objects=second)


def without_ignored(truth: SeenFrame, found: SeenFrame, masks: bool, but: Collection[str] = ()) -> SeenFrame:
    """The results of a frame that are judged.

    Args:
        truth: what is right on the frame, and what is not judged.
        found: the results.
        masks: compare masks; else boxes.
        but: rules that are not applied here.
    """
    rules = {one.rule for one in truth.ignored} - {*but}
    left = list(found.objects)
    if "distractor" in rules:
        others = [
            one
            for one in truth.ignored
            if one.rule in ("distractor", "unjudged") and (one.rle is not None or not masks)
        ]
        marked: _Marked = [*truth.objects, *others]
        excusing = {place for place, one in enumerate(marked) if isinstance(one, Ignored) and one.rule == "distractor"}
        excused = {column for row, column in _matches(marked, left, masks) if row in excusing}
        left = [one for place, one in enumerate(left) if place not in excused]
    regions = [one for one in truth.ignored if one.rule in ("region", "crowd") and one.rule in rules]
    if regions:
        matched = {column for _, column in _matches(truth.objects, left, masks)}
        inside = _share_inside(left, regions, masks) > _INSIDE + _EPSILON
        left = [one for place, one in enumerate(left) if place in matched or not inside[place]]
    return replace(found, objects=tuple(left))


def _matches(marked: _Marked, found: _Marked, masks: bool) -> list[tuple[int, int]]:
    """One to one, so that the IoU summed up is largest, of pairs from 0.5 on."""
    if not marked or not found:
        return []
    scores = _iou(marked, found, masks)
    scores[scores < _MATCHED - _EPSILON] = -10_000
    rows, columns = linear_sum_assignment(-scores)
    return [
        (int(row), int(column)) for row, column in zip(rows, columns, strict=True) if scores[row, column] > _EPSILON
    ]


def _iou(first: _Marked, second: _Marked, masks: bool) -> npt.NDArray[np.float64]:
    if not masks:
        return iou_matrix([one.box_xyxy for one in first], [one.box_xyxy for one in second])
    return rle.iou_matrix([_mask(one) for one in first], [_mask(one) for one in second])


def _mask(one: SeenObject | Ignored) -> rle.RLE:
    assert one.rle is not None  # masks are compared only where all have one
    return one.rle


def _share_inside(found: _Marked, regions: Sequence[Ignored], masks: bool) -> npt.NDArray[np.float64]:
    """How much of each result lies in the region it lies in most, 0..1 [N]."""
    if not found:
        return np.zeros(0)
    crowded = [1] * len(regions)  # pycocotools: the intersection as a share of the result alone
    if masks and all(one.rle is not None for one in regions):
        shares = coco.iou([_mask(one) for one in found], [_mask(one) for one in regions], crowded)
    else:
        shares = coco.iou(*([list(xywh(one.box_xyxy)) for one in side] for side in (found, regions)), crowded)
    return np.asarray(np.max(shares, axis=1), np.float64)
