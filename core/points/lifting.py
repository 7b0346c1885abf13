"""Depth at a position of an image: a surface's, never a mean of two."""

import numpy as np

from core.geometry.sim3 import Array
from core.points.clip import Depth


def depth_near(depth: Depth, xy: Array, expected: Array) -> Array:
    """Of the known depths around positions [N, 2], the one nearest to the expected depth [N]; 0 where none is known.

    The 3x3 pixels around are looked at: a position is not better than that, nor is a depth map at its edges.
    """
    height, width = depth.shape
    column = np.clip(np.rint(xy[:, 0]).astype(np.int64), 0, width - 1)
    row = np.clip(np.rint(xy[:, 1]).astype(np.int64), 0, height - 1)
    best = depth[row, column].astype(np.float64)
    away = np.where(best > 0, np.abs(best - expected), np.inf)
    for down in (-1, 0, 1):
        for right in (-1, 0, 1):
            near = depth[np.clip(row + down, 0, height - 1), np.clip(column + right, 0, width - 1)].astype(np.float64)
            closer = np.where(near > 0, np.abs(near - expected), np.inf)
            better = closer < away
            best, away = np.where(better, near, best), np.where(better, closer, away)
    return best
