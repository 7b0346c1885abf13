"""Masks as polygons and back. Polygons run along the edges of pixels, so that COCO's rasteriser gives the same mask."""

from collections.abc import Sequence

import cv2
import numpy as np
from pycocotools import mask as coco

from core.masks import Mask, rle

Polygon = list[float]
"""x0, y0, x1, y1, … in pixels, corners of pixels being whole numbers."""


def outlines(mask: Mask) -> list[Polygon]:
    """The outer outlines of a mask [H, W], the largest first; holes are left out. Empty for an empty mask.

    `cv2.findContours` goes through the middle of pixels. Here it sees a picture of the pixels' corners and edges, at
    twice the size, so that halving gives the outline around the pixels.
    """
    x, y, width, height = cv2.boundingRect(mask.view(np.uint8))
    if not width:
        return []
    inside = np.kron(mask[y : y + height, x : x + width].view(np.uint8), np.ones((2, 2), np.uint8))
    corners = np.zeros((2 * height + 1, 2 * width + 1), np.uint8)
    for rows in (slice(0, -1), slice(1, None)):
        for columns in (slice(0, -1), slice(1, None)):
            corners[rows, columns] |= inside
    contours, _ = cv2.findContours(corners, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    polygons: list[Polygon] = [(contour.reshape(-1, 2) / 2 + (x, y)).ravel().tolist() for contour in contours]
    if len(polygons) > 1:
        # In pixels: the area between the corners is another one where an outline touches itself.
        covered = coco.area(coco.frPyObjects(polygons, *mask.shape)).tolist()
        polygons = [polygons[index] for index in sorted(range(len(polygons)), key=lambda index: -covered[index])]
    return polygons


def fill(polygons: Sequence[Polygon], height: int, width: int) -> rle.RLE:
    """The mask that polygons cover, all together. Raises `ValueError` for fewer than three corners, or none at all."""
    if not polygons or any(len(polygon) < 6 or len(polygon) % 2 for polygon in polygons):
        raise ValueError("a polygon is x, y of three corners or more")
    if not all(np.isfinite(polygon).all() and np.abs(polygon).max() < 1e6 for polygon in polygons):
        raise ValueError("a polygon's corners are finite numbers, in pixels")
    clipped = [np.clip(np.reshape(p, (-1, 2)), 0, (width, height)).ravel().tolist() for p in polygons]
    merged = coco.merge(coco.frPyObjects(clipped, height, width))
    return {"size": [height, width], "counts": merged["counts"].decode("ascii")}
