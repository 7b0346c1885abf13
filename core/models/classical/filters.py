"""Edge-aware smoothing and graph-cut, shared by the steps of the built-in segmenter."""

import cv2
import numpy as np

from core.masks import Mask
from core.models.classical.colour import Floats
from core.video.frames import RGB


def sigmoid(logits: Floats) -> Floats:
    """Logits to probabilities, without overflow."""
    return np.asarray(1 / (1 + np.exp(-np.clip(logits, -20, 20))), np.float32)


def guided_filter(guide: Floats, values: Floats, radius: int, eps: float) -> Floats:
    """Smooth `values` [H, W] along the edges of a grey `guide` in 0..1 (He, Sun and Tang, ECCV 2010)."""

    def mean(array: Floats) -> Floats:
        return np.asarray(cv2.boxFilter(array, -1, (2 * radius + 1, 2 * radius + 1)), np.float32)

    mean_guide, mean_values = mean(guide), mean(values)
    variance = mean(guide * guide) - mean_guide * mean_guide
    slope = np.asarray((mean(guide * values) - mean_guide * mean_values) / (variance + eps), np.float32)
    return mean(slope) * guide + mean(np.asarray(mean_values - slope * mean_guide, np.float32))


def grab_cut(image: RGB, trimap: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], iterations: int) -> Mask | None:
    """Settle the doubtful pixels of a trimap of `cv2.GC_*` values (Rother et al., SIGGRAPH 2004).

    None where one side has too few pixels to learn its colours from.
    """
    foreground = (trimap == cv2.GC_FGD) | (trimap == cv2.GC_PR_FGD)
    # Five Gaussians each side; OpenCV's k-means fails with fewer samples than that.
    if min(np.count_nonzero(foreground), np.count_nonzero(~foreground)) < 50:
        return None
    cv2.setRNGSeed(0)  # its k-means draws at random: the same frame must give the same mask
    labels = trimap.copy()
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(np.ascontiguousarray(image), labels, (0, 0, 0, 0), *models, iterations, cv2.GC_INIT_WITH_MASK)
    return np.asarray((labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD), np.bool_)


def crop_around(mask: Mask, margin: float) -> tuple[slice, slice]:
    """Rows and columns of the mask's box, grown by `margin` times its size and at least 8 pixels."""
    x, y, width, height = cv2.boundingRect(mask.view(np.uint8))
    grow_x, grow_y = max(8, round(margin * width)), max(8, round(margin * height))
    return (
        slice(max(0, y - grow_y), min(mask.shape[0], y + height + grow_y)),
        slice(max(0, x - grow_x), min(mask.shape[1], x + width + grow_x)),
    )
