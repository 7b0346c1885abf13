"""Boundaries of masks and of id maps, and how well two of them agree."""

import cv2
import numpy as np
import numpy.typing as npt

from core.masks import Mask


def boundary(labels: npt.NDArray[np.generic]) -> Mask:
    """Pixels [H, W] that differ from the neighbour to the right, below, or diagonally below right."""
    edge = np.zeros(labels.shape, np.bool_)
    edge[:, :-1] |= labels[:, :-1] != labels[:, 1:]
    edge[:-1, :] |= labels[:-1, :] != labels[1:, :]
    edge[:-1, :-1] |= labels[:-1, :-1] != labels[1:, 1:]
    return edge


def boundary_f(predicted: npt.NDArray[np.generic], truth: npt.NDArray[np.generic], tolerance_px: int) -> float:
    """Harmonic mean of the two boundaries' precision and recall within a distance (Martin et al., PAMI 2004).

    Distances are matched by dilation with a disk, as in the DAVIS benchmark; 1 where neither has a boundary.
    """
    predicted_edge, truth_edge = boundary(predicted), boundary(truth)
    n_predicted, n_truth = np.count_nonzero(predicted_edge), np.count_nonzero(truth_edge)
    if n_predicted == 0 or n_truth == 0:
        return float(n_predicted == n_truth)
    kernel = _disk(tolerance_px)
    near_truth = cv2.dilate(truth_edge.view(np.uint8), kernel).view(np.bool_)
    near_predicted = cv2.dilate(predicted_edge.view(np.uint8), kernel).view(np.bool_)
    precision = np.count_nonzero(predicted_edge & near_truth) / n_predicted
    recall = np.count_nonzero(truth_edge & near_predicted) / n_truth
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def _disk(radius: int) -> npt.NDArray[np.uint8]:
    y, x = np.ogrid[-radius : radius + 1, -radius : radius + 1]
    return np.asarray(x * x + y * y <= radius * radius, np.uint8)
