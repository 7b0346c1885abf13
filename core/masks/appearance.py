"""Colour histograms of what is under a mask, and how much two of them overlap."""

import cv2
import numpy as np
import numpy.typing as npt

from core.masks import Mask
from core.masks.boxes import mask_box
from core.video.frames import RGB

Histogram = npt.NDArray[np.float32]
_HSV_BINS = (12, 6, 4)


def hsv_histogram(image: RGB, mask: Mask) -> Histogram:
    """HSV distribution [288] of the pixels of `image` [H, W, 3] under a mask [H, W]; zeros for an empty mask."""
    box = mask_box(mask)
    if box is None:
        return np.zeros(int(np.prod(_HSV_BINS)), np.float32)
    x0, y0, x1, y1 = (int(v) for v in box)
    hsv = cv2.cvtColor(np.ascontiguousarray(image[y0:y1, x0:x1]), cv2.COLOR_RGB2HSV)
    inside = np.ascontiguousarray(mask[y0:y1, x0:x1]).view(np.uint8)
    counts = cv2.calcHist([hsv], [0, 1, 2], inside, list(_HSV_BINS), [0, 180, 0, 256, 0, 256])
    return np.asarray(counts.ravel() / max(float(counts.sum()), 1.0), np.float32)


def rgb_histogram(image: RGB, mask: Mask) -> Histogram:
    """RGB distribution [512] of the pixels of `image` [H, W, 3] under a mask [H, W]; zeros for an empty mask."""
    bins = (image[mask] >> 5).astype(np.intp)
    counts = np.bincount(bins[:, 0] * 64 + bins[:, 1] * 8 + bins[:, 2], minlength=512)
    return np.asarray(counts / max(1, counts.sum()), np.float32)


def histogram_overlap(first: Histogram, second: Histogram) -> float:
    """Bhattacharyya coefficient of two histograms that each sum to 1: 0 (disjoint) to 1 (equal)."""
    return float(np.sqrt(first * second).sum())
