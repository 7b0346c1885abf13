"""Shapes of CVAT's XML as neutral objects."""

import math
from typing import Any

import numpy as np

from core.formats.exchange.model import BadResults, SeenObject
from core.formats.exchange.parsing import checked_box
from core.masks import Box, Mask, polygons, rle
from core.masks.region import Region

CORNERS = ("xtl", "ytl", "xbr", "ybr")
SHAPES = ("box", "polygon", "mask")
UNREAD = ("ellipse", "polyline", "points", "cuboid", "skeleton")


def read_shape(element: Any, size: tuple[int, int], obj_id: int, label: str) -> SeenObject:
    """The object of a box, polygon or mask. Raises `BadResults` or `ValueError` where it is none."""
    if size[0] * size[1] > rle.MAX_PIXELS:
        raise BadResults(f"{size[1]}x{size[0]} pixels are too large")
    if element.tag == "box":
        box = checked_box(*(float(element.get(name)) for name in CORNERS))
        turned_deg = float(element.get("rotation") or 0)
        if not turned_deg:
            return SeenObject(obj_id, label, box)
        mask = polygons.fill([_turned(box, turned_deg)], *size)
    elif element.tag == "polygon":
        corners = [float(v) for point in element.get("points").split(";") for v in point.split(",")]
        mask = polygons.fill([corners], *size)
    else:
        mask = rle.encode(_unpacked(element, size))
    return SeenObject(obj_id, label, rle.box_xyxy(mask), rle=mask)


def _turned(box: Box, angle_deg: float) -> list[float]:
    """The corners of a box turned clockwise about its centre, x, y, x, y, …"""
    x0, y0, x1, y1 = box
    x, y, turn = (x0 + x1) / 2, (y0 + y1) / 2, math.radians(angle_deg)
    corners = [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]
    across, along = math.cos(turn), math.sin(turn)
    return [
        value
        for u, v in corners
        for value in (x + (u - x) * across - (v - y) * along, y + (u - x) * along + (v - y) * across)
    ]


def _unpacked(element: Any, size: tuple[int, int]) -> Mask:
    left, top, width, height = (int(element.get(name)) for name in ("left", "top", "width", "height"))
    runs = np.array([int(run) for run in element.get("rle").split(",")], np.int64)
    inside = 0 <= left <= left + width <= size[1] and 0 <= top <= top + height <= size[0]
    if not inside or runs.min() < 0 or runs.sum() != width * height:
        raise BadResults(
            f"a mask of {width}x{height} at {left}, {top}, whose runs fill it, in a picture of {size[1]}x{size[0]}"
        )
    pixels = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
    return Region(left, top, pixels.reshape(height, width)).full(size)
