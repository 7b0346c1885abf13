import numpy as np
import pytest

from core.formats.tracked_npz import Tracked
from core.points.motion import keep_moving, motion_m
from core.points.settings import MotionMethod


def _tracked(xyz: list[list[float]], visible: list[list[bool]]) -> Tracked:
    """Points that move along x: positions [N][T]."""
    along = np.array(xyz, np.float32).T
    tracks = np.stack([along, np.zeros_like(along), np.zeros_like(along)], -1)
    seen = np.array(visible).T
    count = along.shape[1]
    return Tracked(tracks, seen, ~np.isnan(along), np.zeros((count, 4), np.float32), np.arange(count))


WAY = _tracked(
    [[0, 1, 0, 0.5], [2, 2, 2, 2], [0, 9, 1, 1], [5, 6, 7, 8], [np.nan, np.nan, 1, 3]],
    [[True] * 4, [True] * 4, [True, False, True, True], [False] * 4, [False, False, True, True]],
)


@pytest.mark.parametrize(
    ("method", "wanted"),
    [
        ("total_displacement", [2.5, 0, 1, 0, 2]),
        ("max_displacement", [1, 0, 1, 0, 2]),
        ("endpoint_distance", [0.5, 0, 1, 0, 2]),
        ("std_displacement", [np.std([0, 1, 0, 0.5]), 0, np.std([0, 1, 1]), 0, 1]),
    ],
)
def test_motion_counts_visible_positions_only(method: MotionMethod, wanted: list[float]) -> None:
    np.testing.assert_allclose(motion_m(WAY, method), wanted, atol=1e-6)


def test_never_visible_ones_go_first_then_static_ones() -> None:
    kept, counts = keep_moving(WAY, "max_displacement", 1.0)
    assert kept.tolist() == [False, False, False, False, True]
    assert counts == {"points": 5, "never_visible": 1, "static": 3, "kept": 1}
