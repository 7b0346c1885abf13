from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.reconstruction.windowing import Tail, sequential_pairs, sliding_windows

sizes = st.integers(1, 12).flatmap(lambda size: st.tuples(st.just(size), st.integers(1, size)))


@given(st.integers(0, 200), sizes)
def test_shift_covers_every_frame_with_full_windows_none_inside_another(frames: int, shape: tuple[int, int]) -> None:
    size, stride = shape
    windows = sliding_windows(frames, size, stride)
    assert {frame for window in windows for frame in window} == set(range(frames))
    assert all(len(window) == min(size, frames) for window in windows)
    assert all(a.start < b.start and a.stop < b.stop for a, b in pairwise(windows))
    assert all(b.start - a.start <= stride for a, b in pairwise(windows))


@given(st.integers(0, 200), sizes)
def test_drop_is_the_full_windows_of_all(frames: int, shape: tuple[int, int]) -> None:
    size, stride = shape
    dropped = sliding_windows(frames, size, stride, "drop")
    kept = sliding_windows(frames, size, stride, "keep")
    assert kept[: len(dropped)] == dropped
    assert len(kept) - len(dropped) <= 1


@pytest.mark.parametrize(
    ("frames", "size", "stride", "tail", "expected"),
    [
        (10, 3, 2, "keep", [(0, 3), (2, 5), (4, 7), (6, 9), (8, 10)]),  # those of the tool this replaces
        (2, 5, 2, "keep", [(0, 2)]),
        (6, 2, 2, "keep", [(0, 2), (2, 4), (4, 6)]),
        (20, 8, 4, "keep", [(0, 8), (4, 12), (8, 16), (12, 20), (16, 20)]),
        (20, 8, 4, "shift", [(0, 8), (4, 12), (8, 16), (12, 20)]),
        (9, 8, 8, "keep", [(0, 8)]),
        (9, 8, 8, "shift", [(0, 8), (1, 9)]),
        (9, 8, 8, "drop", [(0, 8)]),
        (1, 8, 4, "shift", [(0, 1)]),
    ],
)
def test_documented_cases(frames: int, size: int, stride: int, tail: Tail, expected: list[tuple[int, int]]) -> None:
    assert [(one.start, one.stop) for one in sliding_windows(frames, size, stride, tail)] == expected


def test_twenty_images_make_ten_windows() -> None:
    assert len(sliding_windows(20, 3, 2, "keep")) == 10


def test_a_stride_over_the_size_would_lose_frames() -> None:
    with pytest.raises(ValueError, match="the stride is 1 to the size"):
        sliding_windows(10, 3, 4)


@given(st.integers(1, 60), st.integers(1, 8), st.integers(2, 40))
def test_pairs_are_near_or_powers_of_two_within_a_window(frames: int, overlap: int, window: int) -> None:
    pairs = sequential_pairs(frames, overlap, window)
    assert len(set(pairs)) == len(pairs)
    for one, other in pairs:
        step = other - one
        assert 0 <= one < other < frames
        assert step < window
        assert step <= overlap or step & (step - 1) == 0
    assert {(n, n + 1) for n in range(frames - 1)} <= set(pairs)
