"""How good point tracks are: pixels from annotated places, and how far points of still things wander."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.geometry.sim3 import Array

THRESHOLDS_PX = (1.0, 2.0, 4.0, 8.0, 16.0)


@dataclass(frozen=True)
class WithinPixels:
    """Share of points within each threshold, and their mean: TAP-Vid's position accuracy, delta average.

    C. Doersch et al., "TAP-Vid: A benchmark for tracking any point in a video", NeurIPS 2022 (there at 256 x 256
    pixels; here at the resolution of the errors).
    """

    shares: tuple[float, ...]
    average: float


def within_pixels(errors_px: Array, thresholds_px: Sequence[float] = THRESHOLDS_PX) -> WithinPixels:
    """Of distances [N] between tracked and annotated places. Raises `ValueError` where there is none."""
    if len(errors_px) == 0:
        raise ValueError("no distances to judge by")
    shares = tuple(float((errors_px < threshold).mean()) for threshold in thresholds_px)
    return WithinPixels(shares, float(np.mean(shares)))


@dataclass(frozen=True)
class Drift:
    """How far points of still things are from where they were taken: median and 90th percentile, metres."""

    count: int
    median_m: float
    p90_m: float


def drift(xyz: Array, queries: Array) -> Drift:
    """Of positions [N, 3] in some frame, and the points' own [N, 3]; both in the world."""
    if len(xyz) == 0:
        return Drift(0, float("nan"), float("nan"))
    away = np.linalg.norm(xyz - queries, axis=1)
    return Drift(len(away), float(np.median(away)), float(np.percentile(away, 90)))
