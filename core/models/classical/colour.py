"""Colour histograms, the appearance model of the built-in backends."""

from functools import cache

import cv2
import numpy as np
import numpy.typing as npt
from scipy.ndimage import convolve1d

from core.masks.appearance import histogram_overlap
from core.video.frames import RGB

_BINS = 16
_TABLE_BITS = 6  # of each channel: neighbouring colours share a bin nearly always
_SMALL = 1e-5
Floats = npt.NDArray[np.float32]
Bins = npt.NDArray[np.int32]


def colour_bins(image: RGB) -> Bins:
    """Histogram bin of each pixel [H, W]: 16^3 bins over CIE Lab, its chroma stretched twofold."""
    coarse = (image >> (8 - _TABLE_BITS)).astype(np.int32)
    bins: Bins = _bin_table()[coarse[..., 0] << 2 * _TABLE_BITS | coarse[..., 1] << _TABLE_BITS | coarse[..., 2]]
    return bins


@cache
def _bin_table() -> Bins:
    """The bin of each coarse RGB colour [2^18], as red, green, blue from the highest bits down."""
    step = 1 << (8 - _TABLE_BITS)
    levels = np.arange(step // 2, 256, step, dtype=np.uint8)
    rgb = np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), -1).reshape(1, -1, 3)
    lab = cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB)[0].astype(np.int32)
    lab[:, 1:] = np.clip((lab[:, 1:] - 128) * 2 + 128, 0, 255)
    lab >>= 4
    return np.asarray((lab[:, 0] * _BINS + lab[:, 1]) * _BINS + lab[:, 2], np.int32)


def histogram(bins: Bins, weights: npt.NDArray[np.float32]) -> Floats:
    """Weighted colour distribution [4096], smoothed over neighbouring bins, summing to 1."""
    counts = np.bincount(bins.ravel(), weights.ravel(), _BINS**3).astype(np.float32)
    cube = counts.reshape(_BINS, _BINS, _BINS)
    for axis in range(3):
        cube = convolve1d(cube, np.array([0.25, 0.5, 0.25], np.float32), axis=axis, mode="nearest")
    total = float(cube.sum())
    return np.asarray(cube.ravel() / max(total, 1e-6), np.float32)


def log_ratio(bins: Bins, foreground: Floats, background: Floats, limit: float) -> Floats:
    """Log likelihood ratio of each pixel's colour [H, W], clipped to +-`limit`."""
    table = np.log((foreground + _SMALL) / (background + _SMALL))
    return np.asarray(np.clip(table, -limit, limit)[bins], np.float32)


def separability(foreground: Floats, background: Floats) -> float:
    """How little two colour distributions share: 1 minus their Bhattacharyya coefficient, from 0 (equal) to 1."""
    return 1 - min(1.0, histogram_overlap(foreground, background))
