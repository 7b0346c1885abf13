"""Region similarity J and contour accuracy F of the DAVIS benchmark (Perazzi et al., CVPR 2016)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from core.masks import Mask

_BOUND_SHARE_OF_DIAGONAL = 0.008


def region_similarity(predicted: Mask, truth: Mask) -> float:
    """J: intersection over union of two masks [H, W]; 1 where both are empty."""
    union = np.count_nonzero(predicted | truth)
    return np.count_nonzero(predicted & truth) / union if union else 1.0


def boundary(mask: Mask) -> Mask:
    """Pixels [H, W] that differ from the neighbour to the right, below, or diagonally below right."""
    edge = np.zeros_like(mask)
    edge[:, :-1] |= mask[:, :-1] != mask[:, 1:]
    edge[:-1, :] |= mask[:-1, :] != mask[1:, :]
    edge[:-1, :-1] |= mask[:-1, :-1] != mask[1:, 1:]
    return edge


def _disk(radius: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    y, x = np.ogrid[-radius : radius + 1, -radius : radius + 1]
    return np.asarray(x * x + y * y <= radius * radius, np.uint8)


def contour_accuracy(predicted: Mask, truth: Mask) -> float:
    """F: harmonic mean of the two boundaries' precision and recall within 0.8 % of the diagonal."""
    kernel = _disk(math.ceil(_BOUND_SHARE_OF_DIAGONAL * math.hypot(*truth.shape)))
    predicted_edge, truth_edge = boundary(predicted), boundary(truth)
    n_predicted, n_truth = np.count_nonzero(predicted_edge), np.count_nonzero(truth_edge)
    if n_predicted == 0 or n_truth == 0:
        return float(n_predicted == n_truth)
    near_truth = cv2.dilate(truth_edge.view(np.uint8), kernel).view(np.bool_)
    near_predicted = cv2.dilate(predicted_edge.view(np.uint8), kernel).view(np.bool_)
    precision = np.count_nonzero(predicted_edge & near_truth) / n_predicted
    recall = np.count_nonzero(truth_edge & near_predicted) / n_truth
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


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
