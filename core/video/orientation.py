"""How a decoded picture is turned and mirrored to be shown: the eight orientations of a display matrix."""

from dataclasses import dataclass

import av
import numpy as np
from av.sidedata.sidedata import Type

from core.video.frames import RGB


@dataclass(frozen=True)
class Orientation:
    """Mirrored left to right first, then turned counter-clockwise.

    Attributes:
        quarter_turns: 0 to 3, counter-clockwise.
        mirrored: left and right are exchanged before turning.
    """

    quarter_turns: int = 0
    mirrored: bool = False

    @property
    def swaps_sides(self) -> bool:
        """Width becomes height."""
        return self.quarter_turns % 2 == 1

    def apply(self, image: RGB) -> RGB:
        """The picture [H, W, 3] as it is shown."""
        shown = image[:, ::-1] if self.mirrored else image
        return np.ascontiguousarray(np.rot90(shown, self.quarter_turns))


def orientation_of(frame: av.VideoFrame) -> Orientation:
    """Of a decoded frame: its display matrix, rounded to the nearest of the eight orientations.

    The matrix [a, b, u, c, d, v, x, y, w] (16.16 fixed point) maps a stored point (p, q), y down, to
    (a p + c q, b p + d q); see ISO/IEC 14496-12, 6.2.2, and FFmpeg's `libavutil/display.h`.
    """
    matrix = frame.side_data.get(Type.DISPLAYMATRIX)  # type: ignore[call-overload] # its keys are of this type
    if matrix is None:
        return Orientation()
    numbers = np.frombuffer(bytes(matrix), np.int32)
    if len(numbers) != 9:
        return Orientation()
    a, b, c, d = (float(numbers[index]) for index in (0, 1, 3, 4))
    candidates = [Orientation(turns, mirrored) for mirrored in (False, True) for turns in range(4)]
    return max(candidates, key=lambda one: float(np.sum(_matrix(one) * np.array([[a, c], [b, d]]))))


def _matrix(one: Orientation) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Of an orientation, for points with y down."""
    turn = np.array([[0.0, 1.0], [-1.0, 0.0]])  # counter-clockwise on the screen
    mirror = np.diag([-1.0, 1.0]) if one.mirrored else np.eye(2)
    return np.asarray(np.linalg.matrix_power(turn, one.quarter_turns) @ mirror)
