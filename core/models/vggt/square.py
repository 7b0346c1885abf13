"""The squares that VGGT sees, and the way from them back to pixels of the source."""

from dataclasses import dataclass

import cv2
import numpy as np

from core.geometry.sim3 import Array
from core.video.frames import RGB

TRACK_SIDE = 1024
"""Side of the square on which points are tracked, in pixels."""


@dataclass(frozen=True)
class Square:
    """Where a source image lies in a square of side 1: centred, the longer side filling it.

    Attributes:
        width, height: of the source, in pixels.
    """

    width: int
    height: int

    @property
    def longer(self) -> int:
        """The longer side of the source, in pixels: how many of them the square's side is."""
        return max(self.width, self.height)

    @property
    def margin(self) -> Array:
        """[2]: columns left of the source and rows above it, in its pixels."""
        return np.array([(self.longer - self.width) // 2, (self.longer - self.height) // 2], float)

    def to_source(self, xy: Array, side: int) -> Array:
        """Positions [N, 2] in a square of `side` pixels, whole numbers at pixel centres, in COLMAP's pixels of the
        source, where the first pixel's centre is 0.5."""
        found: Array = (xy + 0.5) * (self.longer / side) - self.margin
        return found

    def holds(self, xy: Array) -> np.typing.NDArray[np.bool_]:
        """Which positions in the source [N, 2] lie in it: the rest is padding."""
        return np.asarray(((xy >= 0) & (xy < [self.width, self.height])).all(-1))


def make_square(image: RGB, side: int = TRACK_SIDE) -> RGB:
    """An image [H, W, 3] padded with black to a square around its centre, and resized to [side, side, 3]."""
    square = Square(image.shape[1], image.shape[0])
    left, top = square.margin.astype(int)
    padded = np.zeros((square.longer, square.longer, 3), np.uint8)
    padded[top : top + square.height, left : left + square.width] = image
    shrinks = side < square.longer
    return np.asarray(
        cv2.resize(padded, (side, side), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC), np.uint8
    )
