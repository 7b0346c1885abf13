import pytest

from core.points.limits import points_at_once


@pytest.mark.parametrize(
    ("tracker", "free_gib", "points"),
    [
        ("mvtracker", 24.0, 5000), ("mvtracker", 23.6, 5000), ("mvtracker", 20.0, 3000),
        ("mvtracker", 8.0, 1500), ("mvtracker", 4.0, 750),
        ("spatialtrackerv2", 30.0, 8000), ("cotracker3_offline", 16.5, 3000), ("cotracker3_online", 80.0, 15000),
        ("mvtracker", None, 1000), ("lk", None, 20000), ("lk", 24.0, 20000),
    ],
)  # fmt: skip
def test_batches_fit_the_tracker_and_its_gpu(tracker: str, free_gib: float | None, points: int) -> None:
    assert points_at_once(tracker, free_gib) == points
