"""A similarity from correspondences of which many are wrong."""

from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from core.geometry.colmap import pycolmap
from core.geometry.sim3 import Array, Sim3, umeyama

_TUKEY = 4.685
_MEDIAN_OF_NORM = 1.538  # of the norm of three unit normals
_RANSAC_ERROR = 0.05
_ITERATIONS = 50


@dataclass(frozen=True, eq=False)
class Alignment:
    """How one set of points was laid over another.

    Attributes:
        sim3: takes source to target.
        inliers: bool [N].
        residuals: [N], distance after alignment as a share of the point's depth.
        noise: median residual of the inliers.
    """

    sim3: Sim3
    inliers: npt.NDArray[np.bool_]
    residuals: Array
    noise: float


def align_points(source: Array, target: Array, depth: Array) -> Alignment | None:
    """The similarity from `source` to `target`, whatever up to half of them say; None where there is none.

    LO-RANSAC (COLMAP's) for a start, then iteratively reweighted least squares with Tukey's weights, whose width
    follows the noise: without noise the result is exact. Deterministic.

    Args:
        source: [N, 3].
        target: [N, 3], correspondences.
        depth: [N], distance of the target from its cameras: an error counts as a share of it, since that is how
            triangulated points scatter.
    """
    if len(source) < 3:
        return None
    options = pycolmap.RANSACOptions(max_error=_RANSAC_ERROR * float(np.median(depth)), random_seed=0)
    # A dictionary, whatever its type hints say.
    found = cast("dict[str, Any] | None", pycolmap.estimate_sim3d_robust(source, target, options))
    if found is None:
        return None
    start = found["tgt_from_src"]
    sim3 = Sim3(start.scale, start.rotation.matrix(), np.asarray(start.translation, float))
    residuals = _residuals(sim3, source, target, depth)
    for _ in range(_ITERATIONS):
        width = _TUKEY * max(float(np.median(residuals)) / _MEDIAN_OF_NORM, 1e-14)
        weights = np.clip(1 - (residuals / width) ** 2, 0, None) ** 2 / depth**2
        try:
            sim3 = umeyama(source, target, weights)
        except ValueError:
            return None
        before, residuals = residuals, _residuals(sim3, source, target, depth)
        if np.abs(residuals - before).max() < 1e-13:
            break
    inliers = residuals <= max(width, 1e-12)
    return Alignment(sim3, inliers, residuals, float(np.median(residuals[inliers])) if inliers.any() else np.inf)


def _residuals(sim3: Sim3, source: Array, target: Array, depth: Array) -> Array:
    found: Array = np.linalg.norm(sim3.apply(source) - target, axis=1) / depth
    return found
