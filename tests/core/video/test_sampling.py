from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.video.sampling import TimeSampler


@given(st.lists(st.floats(0.01, 0.5), min_size=1, max_size=80), st.floats(0.5, 60))
def test_at_most_one_frame_a_tick_and_none_missed(gaps_s: list[float], fps: float) -> None:
    times, now = [], 0.0
    for gap in gaps_s:
        times.append(now)
        now += gap
    sampler = TimeSampler(fps)
    kept = [t for t in times if sampler.keeps(t)]
    assert kept[0] == 0.0
    # Two kept frames never belong to the same tick, give or take the tolerance.
    assert all(int((b + 2e-3) * fps) > int((a - 2e-3) * fps) for a, b in pairwise(kept))
    # Each kept frame is the first one after its tick: whoever lies between two kept ones came before the next tick.
    for a, b in pairwise(kept):
        between = [t for t in times if a < t < b]
        assert all(int((t - 2e-3) * fps) <= int((a + 2e-3) * fps) for t in between)


def test_all_frames_without_a_rate() -> None:
    sampler = TimeSampler(None)
    assert all(sampler.keeps(t / 1000) for t in range(50))


@pytest.mark.parametrize("fps", [0, -1, float("nan")])
def test_a_rate_must_be_positive(fps: float) -> None:
    with pytest.raises(ValueError, match="fps"):
        TimeSampler(fps)
