"""Signs of trouble in masks and boxes alone: what an object's shape does from one frame to the next."""

import math
from collections import deque
from dataclasses import dataclass
from statistics import median

import cv2
import numpy as np

from core.masks import Mask

_ROUND = 2 * math.sqrt(math.pi)  # outline of a disk by the root of its area
_REMEMBERED = 15  # frames an object's usual size is judged by


@dataclass(frozen=True)
class ShapeSample:
    """Where an object is: centre x, y and area in pixels, on a source frame."""

    frame: int
    centre: tuple[float, float]
    area: float


def area_change(before: ShapeSample, now: ShapeSample) -> float:
    """By how much the area went up or down, as the size of its logarithm."""
    return abs(math.log(max(now.area, 1.0) / max(before.area, 1.0)))


def odd_area(usual: "deque[float]", now: ShapeSample) -> float:
    """How far the area is from the median of the last ones, as the size of its logarithm."""
    return abs(math.log(max(now.area, 1.0) / max(median(usual), 1.0))) if usual else 0.0


def unsteady_motion(earlier: ShapeSample, before: ShapeSample, now: ShapeSample) -> float:
    """How far the centre is from where it was going, in shares of the object's size."""
    way = (now.frame - before.frame) / max(1, before.frame - earlier.frame)
    x, y = (b + way * (b - a) for a, b in zip(earlier.centre, before.centre, strict=True))
    return math.hypot(now.centre[0] - x, now.centre[1] - y) / math.sqrt(max(now.area, before.area, 1.0))


def in_pieces(mask: Mask) -> float:
    """Share of a mask [H, W] that does not belong to its largest part."""
    count, _, stats, _ = cv2.connectedComponentsWithStats(mask.view(np.uint8), connectivity=8)
    if count < 3:
        return 0.0
    areas = stats[1:, cv2.CC_STAT_AREA]
    return float(1 - areas.max() / areas.sum())


def ragged(mask: Mask) -> float:
    """How long the outline of a mask [H, W] is for its size: 0 for a disk, 1 from four times that on."""
    outlines, _ = cv2.findContours(mask.view(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    length = sum(len(outline) for outline in outlines)
    return min(1.0, max(0.0, (length / math.sqrt(np.count_nonzero(mask) + 1) - _ROUND) / (3 * _ROUND)))


def remembered() -> "deque[float]":
    """An empty memory of areas."""
    return deque(maxlen=_REMEMBERED)
