"""Removing specks from masks."""

import cv2
import numpy as np

from core.masks import Mask

_KERNEL = np.ones((3, 3), np.uint8)
_MARGIN = 3  # beyond what closing and opening can reach
_MIN_PIXELS = 6
_MIN_SHARE_OF_LARGEST = 0.01


def clean(mask: Mask) -> Mask:
    """Close then open 3x3, then drop components of 5 pixels or fewer, or under 1 % of the largest."""
    x, y, width, height = cv2.boundingRect(mask.view(np.uint8))
    cleaned = np.zeros_like(mask)
    if width:  # only where there is something: objects are far smaller than pictures
        rows = slice(max(0, y - _MARGIN), y + height + _MARGIN)
        columns = slice(max(0, x - _MARGIN), x + width + _MARGIN)
        cleaned[rows, columns] = _clean(np.ascontiguousarray(mask[rows, columns]))
    return cleaned


def _clean(mask: Mask) -> Mask:
    pixels = cv2.morphologyEx(mask.view(np.uint8), cv2.MORPH_CLOSE, _KERNEL)
    pixels = cv2.morphologyEx(pixels, cv2.MORPH_OPEN, _KERNEL)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(pixels, connectivity=8)
    if count <= 1:
        return np.asarray(pixels.view(np.bool_), np.bool_)
    areas = stats[:, cv2.CC_STAT_AREA]
    kept = areas >= max(_MIN_PIXELS, _MIN_SHARE_OF_LARGEST * areas[1:].max())
    kept[0] = False
    return np.asarray(kept[labels], np.bool_)
