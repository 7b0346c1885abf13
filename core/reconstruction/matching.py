"""Matches between two frames: nearest neighbours both ways, then two-view geometry."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from core.geometry.colmap import pycolmap
from core.reconstruction.features import Features

MIN_INLIERS = 15
_MAX_RATIO = 0.8
_MAX_ANGLE = 0.7
_LENGTH = 512.0**2

Matches = npt.NDArray[np.uint32]
Angle = Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float32]]


@dataclass(frozen=True, eq=False)
class PairGeometry:
    """Two frames' verified matches: feature numbers uint32 [N, 2], COLMAP's configuration, and F, E, H [3, 3, 3]."""

    matches: Matches
    config: int
    matrices: npt.NDArray[np.float64]


def mutual_matches(one: npt.NDArray[np.float32], other: npt.NDArray[np.float32]) -> Matches:
    """Pairs of descriptors that are each other's nearest, and clearly nearer than the second nearest.

    D. Lowe's ratio test on angles, both ways. The same matches as COLMAP's own matcher with its defaults (a test holds
    it), some 20 times faster: products of whole numbers are exact in float32, so one matrix product is enough.

    Args:
        one: [N, 128], whole numbers, of length 512.
        other: [M, 128].

    Returns:
        [K, 2]: number in `one` (ascending) and in `other`.
    """
    if len(one) < 1 or len(other) < 1:
        return np.zeros((0, 2), np.uint32)
    likeness = one @ other.T
    nearest = likeness.argmax(1)
    best = likeness[np.arange(len(one)), nearest]
    rows = np.flatnonzero(best == likeness.max(0)[nearest])  # the nearest of its nearest; equals fail the ratio test
    columns, best = nearest[rows], best[rows]
    likeness[rows, columns] = -1.0
    second = np.maximum(likeness[rows].max(1, initial=0), likeness[:, columns].max(0, initial=0))
    angle: Angle = lambda products: np.arccos(np.minimum(products / np.float32(_LENGTH), 1))  # noqa: E731
    clear = (angle(best) <= _MAX_ANGLE) & (angle(best) < _MAX_RATIO * angle(second))
    return np.stack([rows[clear], columns[clear]], 1).astype(np.uint32)


def verify(one: Features, other: Features, matches: Matches, width: int, height: int) -> PairGeometry | None:
    """The matches that one two-view geometry explains; None where too few do. Nothing is assumed of the focal length.

    RANSAC as in COLMAP, from a fixed seed. `width` and `height` are the frames', in pixels.
    """
    if len(matches) < MIN_INLIERS:
        return None
    options = pycolmap.TwoViewGeometryOptions()
    options.min_num_inliers = MIN_INLIERS
    options.ransac.random_seed = 0
    camera = pycolmap.Camera(
        model="SIMPLE_PINHOLE", width=width, height=height, params=[1.2 * max(width, height), width / 2, height / 2]
    )
    points = [features.keypoints[:, :2].astype(np.float64) for features in (one, other)]
    found = pycolmap.estimate_two_view_geometry(camera, points[0], camera, points[1], matches, options)
    if len(found.inlier_matches) < MIN_INLIERS:
        return None
    matrices = [np.zeros((3, 3)) if matrix is None else matrix for matrix in (found.F, found.E, found.H)]
    return PairGeometry(np.asarray(found.inlier_matches, np.uint32), int(found.config), np.stack(matrices))
