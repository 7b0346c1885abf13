"""Region similarity J and contour accuracy F of the DAVIS benchmark (Perazzi et al., CVPR 2016), and how the benchmark
sums them up over frames."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from core.masks import Mask
from core.masks.boundaries import boundary_f
from core.masks.overlap import mask_iou

_BOUND_SHARE_OF_DIAGONAL = 0.008
_GOOD = 0.5
_QUARTERS = 4


def region_similarity(predicted: Mask, truth: Mask) -> float:
    """J: intersection over union of two masks [H, W]; 1 where both are empty."""
    return mask_iou(predicted, truth)


def contour_accuracy(predicted: Mask, truth: Mask) -> float:
    """F: agreement of the two boundaries within 0.8 % of the diagonal."""
    tolerance_px = math.ceil(_BOUND_SHARE_OF_DIAGONAL * math.hypot(*truth.shape))
    window = _around(predicted | truth, tolerance_px + 1)
    return boundary_f(predicted[window], truth[window], tolerance_px)


def _around(mask: Mask, margin: int) -> tuple[slice, slice]:
    """The part of the picture in which there is anything to compare: boundaries further away do not meet."""
    x, y, width, height = cv2.boundingRect(mask.view(np.uint8))
    return slice(max(0, y - margin), y + height + margin), slice(max(0, x - margin), x + width + margin)


@dataclass(frozen=True)
class Over:
    """A measure over the frames of an object, as the benchmark sums it up.

    Attributes:
        mean: over frames.
        recall: share of frames on which it is above 0.5.
        decay: mean of the first quarter of frames less that of the last; small is good.
    """

    mean: float
    recall: float
    decay: float


def over_frames(values: Sequence[float]) -> Over:
    """Sum a measure up over frames. Raises `ValueError` when there are none.

    The quarters share their frames at the ends, as in the benchmark's code (`db_statistics`); its 8 bit indices, which
    go wrong from 257 frames on, are not copied.
    """
    if not values:
        raise ValueError("no frames to sum up")
    per_frame = np.asarray(values, np.float64)
    ends = np.round(np.linspace(1, len(per_frame), _QUARTERS + 1) + 1e-10).astype(int) - 1
    first, last = (per_frame[ends[i] : ends[i + 1] + 1].mean() for i in (0, _QUARTERS - 1))
    return Over(float(per_frame.mean()), float((per_frame > _GOOD).mean()), float(first - last))


def mean_over(measures: Sequence[Over]) -> Over:
    """Mean over objects. Raises `ValueError` when there are none."""
    if not measures:
        raise ValueError("no objects to average over")
    table: npt.NDArray[np.float64] = np.array([(one.mean, one.recall, one.decay) for one in measures])
    return Over(*(float(value) for value in table.mean(axis=0)))


@dataclass(frozen=True)
class JF:
    """Mean J and F of an object over frames, each in 0..1."""

    j: float
    f: float

    @property
    def jf(self) -> float:
        """J&F, the mean of both."""
        return (self.j + self.f) / 2


def mean_jf(scores: Sequence[JF]) -> JF:
    """Mean over objects or sequences. Raises `ValueError` when there are none."""
    if not scores:
        raise ValueError("no scores to average")
    return JF(sum(s.j for s in scores) / len(scores), sum(s.f for s in scores) / len(scores))


def object_jf(predicted: Sequence[Mask], truth: Sequence[Mask]) -> JF:
    """J and F of one object, mean over aligned frames. Raises `ValueError` where the lengths differ."""
    pairs = list(zip(predicted, truth, strict=True))
    return mean_jf([JF(region_similarity(p, t), contour_accuracy(p, t)) for p, t in pairs])
