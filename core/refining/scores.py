"""What refining did to a map, in numbers; and, where there is a truth, whether it helped."""

import math
from collections.abc import Collection, Sequence

import numpy as np
from pydantic import BaseModel, ConfigDict

from core.formats.id_maps import IdMap
from core.masks.boundaries import boundary_f
from core.masks.contingency import Labels, label
from core.refining.refine import Refined

_TOLERANCE_SHARE_OF_DIAGONAL = 0.002


class IdScore(BaseModel):
    """One id: its pixels before and after, their IoU, the IoU of its masks with it, and how many masks (0: kept)."""

    model_config = ConfigDict(frozen=True)
    id: int
    pixels_before: int
    pixels_after: int
    iou: float
    matching_iou: float
    coverage_ratio: float
    num_masks: int
    is_low_confidence: bool


class TruthScore(BaseModel):
    """Before and after against a true map: mean IoU over the truth's ids, and boundary F."""

    model_config = ConfigDict(frozen=True)
    miou_before: float
    miou_after: float
    boundary_f_before: float
    boundary_f_after: float


class ImageScore(BaseModel):
    """One image.

    Attributes:
        masks: generated.
        objects: ids in the map.
        matched, merged: ids that masks stand for; and those made of several.
        invalid_ratio: share of the pixels under no matched mask, or farther from its id than that may spread.
        unlabelled_before, unlabelled_after: share of the pixels without an object's id.
        changed: share of the pixels with another id than before.
        accepted_ratio: share of the changes that masks proposed which were made; None: they proposed none.
        mean_iou: of the ids with themselves before, mean.
        boundary_f: of the map with the one before; background is one region, whatever its numbers.
        lost: ids that are no longer there; always none.
        truth: how both maps compare with a true one, where there is one.
    """

    model_config = ConfigDict(frozen=True)
    image: str
    masks: int
    objects: int
    matched: int
    merged: int
    invalid_ratio: float
    unlabelled_before: float
    unlabelled_after: float
    changed: float
    accepted_ratio: float | None
    mean_iou: float
    boundary_f: float
    lost: list[int]
    ids: list[IdScore]
    truth: TruthScore | None = None


def score(name: str, masks: int, before: IdMap, refined: Refined) -> ImageScore:
    """Compare a refined map with the one before."""
    labels, count = refined.labels, len(refined.labels.ids)
    after = np.bincount(refined.number.ravel(), minlength=count + 1)[:count]
    iou = _self_iou(labels, Labels(labels.ids, refined.number, after))
    ids = [
        IdScore(
            id=match.id,
            pixels_before=int(labels.area[number]),
            pixels_after=int(after[number]),
            iou=float(iou[number]),
            matching_iou=match.iou,
            coverage_ratio=match.coverage,
            num_masks=len(match.masks),
            is_low_confidence=match.low_confidence,
        )
        for number, match in enumerate(refined.matches)
    ]
    return ImageScore(
        image=name,
        masks=masks,
        objects=count,
        matched=sum(bool(match.masks) for match in refined.matches),
        merged=sum(match.merged for match in refined.matches),
        invalid_ratio=1 - float(refined.covered.mean()),
        unlabelled_before=float((labels.number == count).mean()),
        unlabelled_after=float((refined.number == count).mean()),
        changed=float((refined.id_map != before).mean()),
        accepted_ratio=refined.accepted_ratio,
        mean_iou=float(iou.mean()) if count else 1.0,
        boundary_f=boundary_f(refined.number, labels.number, tolerance_px(before.shape)),
        lost=labels.ids[after == 0].tolist(),
        ids=ids,
    )


def tolerance_px(shape: Sequence[int]) -> int:
    """How far apart boundaries may be and still agree: 0.2 % of the diagonal, at least a pixel."""
    return max(1, round(_TOLERANCE_SHARE_OF_DIAGONAL * math.hypot(*shape)))


def mean_iou(id_map: IdMap, truth: IdMap, background: Collection[int] | None = None) -> float:
    """Mean over the truth's ids of the IoU of the pixels with this id in both; 1 where the truth has none."""
    return _mean_iou(label(id_map, background), label(truth, background))


def _mean_iou(known: Labels, wanted: Labels) -> float:
    if not len(wanted.ids):
        return 1.0
    both = np.searchsorted(wanted.ids, known.ids)
    there = wanted.ids[np.minimum(both, len(wanted.ids) - 1)] == known.ids
    place = np.full(len(known.ids) + 1, len(wanted.ids), np.intp)
    place[:-1][there] = both[there]
    area = np.zeros(len(wanted.ids), np.int64)
    area[both[there]] = known.area[there]
    return float(_self_iou(wanted, Labels(wanted.ids, place[known.number], area)).mean())


def _self_iou(one: Labels, other: Labels) -> "np.ndarray[tuple[int, ...], np.dtype[np.float64]]":
    """IoU of each id with the same id in the other map; both number the same ids."""
    count = len(one.ids)
    same = one.number[one.number == other.number]
    common = np.bincount(same, minlength=count + 1)[:count]
    return np.asarray(common / np.maximum(one.area + other.area - common, 1), np.float64)


def compare(truth: IdMap, before: IdMap, after: IdMap, background: Collection[int] | None = None) -> TruthScore:
    """Both maps against a true one of the same size."""
    tolerance = tolerance_px(truth.shape)
    wanted, was, became = (label(one, background) for one in (truth, before, after))
    return TruthScore(
        miou_before=_mean_iou(was, wanted),
        miou_after=_mean_iou(became, wanted),
        boundary_f_before=boundary_f(was.number, wanted.number, tolerance),
        boundary_f_after=boundary_f(became.number, wanted.number, tolerance),
    )
