"""Removing specks from masks."""

import cv2
import numpy as np

from core.masks import Mask

_KERNEL = np.ones((3, 3), np.uint8)
_MIN_PIXELS = 6
_MIN_SHARE_OF_LARGEST = 0.01


def clean(mask: Mask) -> Mask:
    """Close then open 3x3, then drop components of 5 pixels or fewer, or under 1 % of the largest."""
    pixels = cv2.morphologyEx(mask.view(np.uint8), cv2.MORPH_CLOSE, _KERNEL)
    pixels = cv2.morphologyEx(pixels, cv2.MORPH_OPEN, _KERNEL)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(pixels, connectivity=8)
    if count <= 1:
        return pixels.view(np.bool_)
    areas = stats[:, cv2.CC_STAT_AREA]
    kept = areas >= max(_MIN_PIXELS, _MIN_SHARE_OF_LARGEST * areas[1:].max())
    kept[0] = False
    return np.asarray(kept[labels], np.bool_)
