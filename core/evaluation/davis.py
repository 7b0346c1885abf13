"""Region similarity J and contour accuracy F of the DAVIS benchmark (Perazzi et al., CVPR 2016)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.masks import Mask
from core.masks.boundaries import boundary_f

_BOUND_SHARE_OF_DIAGONAL = 0.008


def region_similarity(predicted: Mask, truth: Mask) -> float:
    """J: intersection over union of two masks [H, W]; 1 where both are empty."""
    union = np.count_nonzero(predicted | truth)
    return np.count_nonzero(predicted & truth) / union if union else 1.0


def contour_accuracy(predicted: Mask, truth: Mask) -> float:
    """F: agreement of the two boundaries within 0.8 % of the diagonal."""
    return boundary_f(predicted, truth, math.ceil(_BOUND_SHARE_OF_DIAGONAL * math.hypot(*truth.shape)))


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
