from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from core.video.clock import Clock

TICK = Fraction(1, 1000)


def _times(stamps: list[int | None], jumps: bool = False, step_s: float = 0.04) -> list[float]:
    clock = Clock(TICK, step_s, jumps)
    return [clock.time_s(stamp) for stamp in stamps]


def test_the_start_is_subtracted() -> None:
    assert _times([5128, 5161, 5195]) == pytest.approx([0, 0.033, 0.067])


def test_a_clock_that_starts_anew_goes_on_one_step_later() -> None:
    assert _times([1400, 1440, 1480, 1400, 1440]) == pytest.approx([0, 0.04, 0.08, 0.12, 0.16])


def test_a_gap_is_a_pause_but_where_clocks_jump() -> None:
    stamps: list[int | None] = [0, 40, 60_040, 60_080]
    assert _times(stamps) == pytest.approx([0, 0.04, 60.04, 60.08])
    assert _times(stamps, jumps=True) == pytest.approx([0, 0.04, 0.08, 0.12])


def test_rounded_stamps_do_not_shift_what_follows() -> None:
    times = _times([0, 40, 40, 80, 120])
    assert times[3:] == pytest.approx([0.08, 0.12])
    assert times[1] < times[2] < times[3]


def test_without_stamps_frames_come_at_the_nominal_rate() -> None:
    assert _times([None] * 4) == pytest.approx([0, 0.04, 0.08, 0.12])


@given(st.lists(st.none() | st.integers(-(2**40), 2**40), min_size=1, max_size=60), st.booleans())
@example([0, -59, -59, -59], False)  # repeated where a bridge has been rounded
def test_times_ascend_whatever_the_stamps_are(stamps: list[int | None], jumps: bool) -> None:
    times = _times(stamps, jumps)
    assert times[0] == 0
    assert all(before < after for before, after in pairwise(times))
