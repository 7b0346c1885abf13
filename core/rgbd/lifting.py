"""Depth at a position of an image: a surface's, never a mean of two."""

import numpy as np
import numpy.typing as npt

from core.geometry.sim3 import Array
from core.rgbd.clip import Depth

_SAME_M, _SAME_SHARE, _LEAST_SHARE = 0.01, 0.02, 0.2


def depth_near(depth: Depth, xy: Array, expected: Array) -> Array:
    """Depth at positions [N, 2] of the surface that is nearest to the expected depth [N]; 0 where none is known.

    Of the 3x3 pixels around, the one with the depth nearest to what is expected is the surface's: a position is not
    better than that, nor is a depth map at its edges. The four pixels about the position are then interpolated, as far
    as they are on this surface.
    """
    column, row = np.rint(xy[:, 0]).astype(np.int64), np.rint(xy[:, 1]).astype(np.int64)
    best = _at(depth, column, row)
    away = np.where(best > 0, np.abs(best - expected), np.inf)
    for down in (-1, 0, 1):
        for right in (-1, 0, 1):
            near = _at(depth, column + right, row + down)
            closer = np.where(near > 0, np.abs(near - expected), np.inf)
            better = closer < away
            best, away = np.where(better, near, best), np.where(better, closer, away)
    return _interpolated(depth, xy, best)


def _interpolated(depth: Depth, xy: Array, surface: Array) -> Array:
    left, above = np.floor(xy[:, 0]), np.floor(xy[:, 1])
    summed, total = np.zeros(len(xy)), np.zeros(len(xy))
    for down in (0, 1):
        for right in (0, 1):
            near = _at(depth, left.astype(np.int64) + right, above.astype(np.int64) + down)
            share = (1 - np.abs(xy[:, 0] - left - right)) * (1 - np.abs(xy[:, 1] - above - down))
            share = np.where((near > 0) & (np.abs(near - surface) < _SAME_M + _SAME_SHARE * surface), share, 0.0)
            summed, total = summed + share * near, total + share
    return np.where(total > _LEAST_SHARE, summed / np.maximum(total, _LEAST_SHARE), surface)


def _at(depth: Depth, column: npt.NDArray[np.int64], row: npt.NDArray[np.int64]) -> Array:
    """The pixels' depths; beyond the border, the border's."""
    height, width = depth.shape
    return depth[np.clip(row, 0, height - 1), np.clip(column, 0, width - 1)].astype(np.float64)
