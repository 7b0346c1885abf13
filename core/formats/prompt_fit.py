"""Whether a prompt lies in the picture that it is for."""

from typing import Protocol

from core.formats.prompts import CheckedRLE, Point
from core.masks import Box, rle
from core.masks.boxes import clip_box

_LEAST_SIDE = 1.0  # pixels
_MOST_OUTSIDE = 0.1  # of a box's area; people draw boxes a little over the edge


class Shown(Protocol):
    """A box, points or a mask (see `core.formats.prompts`)."""

    @property
    def box(self) -> Box | None:
        """Its corners, xyxy pixels."""
        ...

    @property
    def points(self) -> "list[Point] | tuple[Point, ...]":
        """x, y and 1 (on the object) or 0."""
        ...

    @property
    def mask(self) -> CheckedRLE | None:
        """COCO RLE of the whole picture."""
        ...


def misfit(shown: Shown, width: int, height: int) -> str | None:
    """Why a prompt cannot be used in a picture of this size; None where it can."""
    picture = f"{width}x{height}"
    if shown.mask is not None:
        rows, columns = shown.mask["size"]
        if (columns, rows) != (width, height):
            return f"its mask is {columns}x{rows}, the picture {picture}"
        return None if rle.area(shown.mask) else "its mask is empty"
    on_it = any(0 <= x < width and 0 <= y < height for x, y, positive in shown.points if positive)
    if shown.box is None:
        return None if on_it else f"it lies outside the picture of {picture}"
    inside = clip_box(shown.box, width, height)
    if inside is None:
        return f"it lies outside the picture of {picture}"
    if shown.box[2] - shown.box[0] <= _LEAST_SIDE and shown.box[3] - shown.box[1] <= _LEAST_SIDE:
        return f"its box is no larger than a pixel (shares of the picture? Give pixels, of {picture})"
    if inside[2] - inside[0] < _LEAST_SIDE or inside[3] - inside[1] < _LEAST_SIDE:
        return f"it lies outside the picture of {picture}"
    return None


def doubt(shown: Shown, width: int, height: int) -> str | None:
    """What is odd about a prompt that can be used: much of its box lies outside the picture."""
    if shown.box is None or shown.mask is not None:
        return None
    inside = clip_box(shown.box, width, height)
    outside = 1 - (0.0 if inside is None else _area(inside)) / _area(shown.box)
    if outside <= _MOST_OUTSIDE:
        return None
    return (
        f"{outside:.0%} of its box lies outside the picture of {width}x{height}; the rest is used "
        "(a box is x0, y0, x1, y1: its corners, not x, y, width, height)"
    )


def _area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])
