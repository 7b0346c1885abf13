"""How far tracked points move, and which of them are worth keeping."""

import warnings

import numpy as np
import numpy.typing as npt

from core.formats.tracked_npz import Tracked
from core.geometry.sim3 import Array
from core.points.settings import MotionMethod

_CHUNK = 2048  # points, so that what is computed on the way stays small


def motion_m(tracked: Tracked, method: MotionMethod) -> Array:
    """How far each point moves [N], in metres, by its visible positions; 0 for a point seen once or never.

    total_displacement: along its way; max_displacement: farthest from where it was first; std_displacement: root of
    the mean squared distance from its mean; endpoint_distance: from first to last.
    """
    parts = [
        _motion_m(tracked.part(np.arange(first, min(first + _CHUNK, len(tracked.point_index)))), method)
        for first in range(0, len(tracked.point_index), _CHUNK)
    ]
    return np.concatenate([np.zeros(0), *parts])


def _motion_m(tracked: Tracked, method: MotionMethod) -> Array:
    xyz = tracked.tracks_3d.astype(np.float64)
    seen = tracked.visibilities & tracked.valid
    first, last = _end(xyz, seen), _end(xyz[::-1], seen[::-1])
    if method == "endpoint_distance":
        moved = np.linalg.norm(last - first, axis=-1)
    elif method == "max_displacement":
        moved = np.where(seen, np.linalg.norm(xyz - first, axis=-1), 0.0).max(0)
    elif method == "std_displacement":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # points never seen have no mean
            mean = np.nanmean(np.where(seen[..., None], xyz, np.nan), axis=0)
        squared = np.where(seen, ((xyz - mean) ** 2).sum(-1), 0.0)
        moved = np.sqrt(squared.sum(0) / np.maximum(seen.sum(0), 1))
    else:
        moved = _way(xyz, seen)
    return np.where(seen.any(0), np.nan_to_num(moved), 0.0)


def keep_moving(tracked: Tracked, method: MotionMethod, least_m: float) -> tuple[npt.NDArray[np.bool_], dict[str, int]]:
    """Which points to keep [N], and counts: those never visible go, then those that move `least_m` or less."""
    seen = np.asarray((tracked.visibilities & tracked.valid).any(0))
    moving = motion_m(tracked, method) > least_m
    counts = {
        "points": len(seen),
        "never_visible": int((~seen).sum()),
        "static": int((seen & ~moving).sum()),
        "kept": int((seen & moving).sum()),
    }
    return seen & moving, counts


def _end(xyz: Array, seen: npt.NDArray[np.bool_]) -> Array:
    """Where each point is first seen [N, 3]."""
    found: Array = xyz[seen.argmax(0), np.arange(xyz.shape[1])]
    return found


def _way(xyz: Array, seen: npt.NDArray[np.bool_]) -> Array:
    """Length of the way from each visible position to the next."""
    way = np.zeros(xyz.shape[1])
    at, known = np.zeros(xyz.shape[1:]), np.zeros(xyz.shape[1], bool)
    for here, visible in zip(xyz, seen, strict=True):
        step = np.linalg.norm(np.where(visible[:, None], here, 0.0) - at, axis=-1)
        way += np.where(visible & known, step, 0.0)
        at = np.where(visible[:, None], here, at)
        known = known | visible
    return way
