"""Boxes: `x0, y0, x1, y1` in float pixels, upper edges exclusive. Other conventions convert here."""

import cv2
import numpy as np
import numpy.typing as npt

from core.masks import Box, Mask


def mask_box(mask: Mask) -> Box | None:
    """Bounding box of a mask; None when it is empty."""
    x, y, width, height = cv2.boundingRect(mask.view(np.uint8))
    return (x, y, x + width, y + height) if width else None


def iou_matrix(first: npt.ArrayLike, second: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Intersection over union of boxes [N, 4] and [M, 4], as [N, M]. Empty boxes overlap nothing."""
    a = np.asarray(first, np.float64).reshape(-1, 1, 4)
    b = np.asarray(second, np.float64).reshape(1, -1, 4)
    sides = np.clip(np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2]), 0, None)
    intersection = sides.prod(axis=-1)
    union = (a[..., 2:] - a[..., :2]).prod(axis=-1) + (b[..., 2:] - b[..., :2]).prod(axis=-1) - intersection
    iou = np.divide(intersection, union, out=np.zeros_like(intersection), where=union > 0)
    return np.asarray(iou, np.float64)


def around(first: Box, second: Box) -> Box:
    """The smallest box that holds both."""
    (x0, y0, x1, y1), (u0, v0, u1, v1) = first, second
    return min(x0, u0), min(y0, v0), max(x1, u1), max(y1, v1)


def clip_box(box: Box, width: int, height: int) -> Box | None:
    """The part of a box inside the picture; None when nothing of it is."""
    x0, y0, x1, y1 = box
    clipped = (max(0.0, x0), max(0.0, y0), min(float(width), x1), min(float(height), y1))
    return clipped if clipped[2] > clipped[0] and clipped[3] > clipped[1] else None


def xywh(box: Box) -> tuple[float, float, float, float]:
    """Left, top, width and height, as COCO and MOT have boxes."""
    x0, y0, x1, y1 = box
    return x0, y0, x1 - x0, y1 - y0


def documented_xywh(box: Box) -> list[int]:
    """`[x, y, w, h]` as the documented JSONL has it: whole pixels, `w = xmax - xmin`, one less than the count."""
    x0, y0, x1, y1 = (round(v) for v in box)
    return [x0, y0, max(0, x1 - 1 - x0), max(0, y1 - 1 - y0)]
