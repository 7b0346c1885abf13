"""Windows whose points do not come from shared features: what they are aligned by, and how they are merged."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from core.geometry.colmap import pycolmap
from core.geometry.sim3 import Array
from core.reconstruction.shared_points import Numbers, WindowModel
from core.store.safe_load import load_npz

ANCHORS = "anchors.npz"
"""Beside such a window's model: `frames` int64 [A], `cells` int64 [A] (the same pixel has the same number in every
window), `xyz` float64 [A, 3] in the window's frame."""


def write_anchors(folder: Path, frames: Numbers, cells: Numbers, xyz: Array) -> None:
    """Write a window's anchors."""
    np.savez(folder / ANCHORS, frames=frames.astype(np.int64), cells=cells.astype(np.int64), xyz=xyz)


def read_anchors(number: int, folder: Path, model: pycolmap.Reconstruction) -> WindowModel | None:
    """The anchors of a window in place of its points; None where it has none."""
    if not (folder / ANCHORS).is_file():
        return None
    found = load_npz(folder / ANCHORS)
    centres, points = {}, {}
    for image_id in sorted(model.reg_image_ids()):
        rows = np.flatnonzero(found["frames"] == image_id - 1)
        rows = rows[np.argsort(found["cells"][rows], kind="stable")]
        centres[image_id - 1] = np.asarray(model.image(image_id).projection_center(), float)
        points[image_id - 1] = np.stack([found["cells"][rows], rows])
    return WindowModel(number, found["xyz"], np.zeros((len(found["xyz"]), 3), np.uint8), centres, points)


def renumber(
    windows: Sequence[WindowModel], models: Mapping[int, pycolmap.Reconstruction]
) -> tuple[list[WindowModel], dict[int, Array]]:
    """Give each frame's 2D points numbers of their own in each window, so that windows merge side by side.

    Returns:
        The windows, renumbered, and the position [N, 2] in pixels of each frame's 2D points.
    """
    points_xy: dict[int, list[Array]] = {}
    numbered = []
    for window in windows:
        points = {}
        for frame, seen in window.points.items():
            xy = [point.xy for point in models[window.number].image(frame + 1).points2D]
            start = sum(len(part) for part in points_xy.get(frame, []))
            points_xy.setdefault(frame, []).append(np.array(xy, float).reshape(-1, 2))
            points[frame] = seen + np.array([[start], [0]])
        numbered.append(replace(window, points=points))
    return numbered, {frame: np.concatenate(parts) for frame, parts in points_xy.items()}
