"""Windows, spans and frames: every frame once, nothing beyond what is plausible."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.formats.sparse_annotations import AnnotatedObject, SparsePrompt
from core.long_video.plan import Window, carried, cut, frames_to_follow, plausible, segments
from core.video.index import FrameIndex


def index_of(frames: int, fps: float = 10.0) -> FrameIndex:
    return FrameIndex(np.arange(frames) / fps, np.arange(frames), np.ones(frames, np.bool_))


def shown_at(*frames: int, segments: tuple[tuple[float, float], ...] = ()) -> AnnotatedObject:
    prompts = tuple(SparsePrompt(frame=frame, box=(1, 1, 5, 5)) for frame in frames)
    return AnnotatedObject(assoc_id="a", name="mug", prompts=prompts, segments=segments)


@given(st.integers(1, 500), st.integers(1, 80), st.data())
def test_windows_follow_the_documented_rule(frames: int, length: int, data: st.DataObject) -> None:
    overlap = data.draw(st.integers(0, length - 1))
    windows = cut(frames, length, overlap)
    assert windows[0].first == 0
    assert windows[-1].end == frames
    for before, after in itertools.pairwise(windows):
        assert after.first == before.end - overlap
        assert before.end - before.first == length
    assert all(window.end - window.first <= length for window in windows)
    assert [window.index for window in windows] == list(range(len(windows)))
    flat = [frame for window in carried(windows) for frame in range(window.first, window.end)]
    assert flat == list(range(frames))


@given(st.integers(1, 500), st.integers(2, 30))
def test_segments_hold_every_window_and_overlap_only_at_their_borders(frames: int, length: int) -> None:
    windows = cut(frames, length, 1)
    parts = segments(windows)
    assert [window.index for part in parts for window in part] == [window.index for window in windows]
    assert all(1 <= len(part) <= 4 for part in parts)
    assert len(parts) >= min(2, len(windows))
    for before, after in itertools.pairwise(parts):
        assert before[-1].end - after[0].first == 1
    for part in parts:
        assert all(a.end == b.first for a, b in itertools.pairwise(part))


def test_an_overlap_as_long_as_the_window_is_refused() -> None:
    with pytest.raises(ValueError, match="overlap"):
        cut(100, 10, 10)


def test_objects_are_plausible_around_their_annotations_and_segments() -> None:
    index = index_of(1000)
    apart = plausible(shown_at(200, 600), 1, index, 10.0)
    assert apart.spans == ((100, 300), (500, 700))
    assert apart.runs("forward") == [(200, 300), (600, 700)]
    assert apart.runs("backward") == [(100, 200), (500, 600)]
    joined = plausible(shown_at(200, 600, segments=((25.0, 52.0),)), 1, index, 10.0)
    assert joined.spans == ((100, 700),)
    assert joined.runs("forward") == [(200, 700)]
    assert joined.runs("backward") == [(100, 600)]


@given(st.integers(2, 30), st.lists(st.integers(0, 299), min_size=1, max_size=5, unique=True), st.integers(1, 40))
def test_windows_together_follow_what_one_window_would(interval: int, annotated: list[int], length: int) -> None:
    one = plausible(shown_at(*sorted(annotated)), 1, index_of(300), 4.0)
    for direction in ("forward", "backward"):
        whole = Window(0, 0, 300)
        alone = one.within(whole, direction)
        assert alone is not None
        expected = frames_to_follow(whole, interval, [alone])
        assert set(annotated) <= set(expected)
        assert all(frame % interval == 0 or frame in annotated for frame in expected)
        parts = [
            (window, part)
            for window in carried(cut(300, length, 0))
            if (part := one.within(window, direction)) is not None
        ]
        assert [frame for window, part in parts for frame in frames_to_follow(window, interval, [part])] == expected
        assert sorted(seed.shown.frame for _, part in parts for seed in part.seeds) == sorted(annotated)


def test_an_object_is_not_followed_where_it_is_gone() -> None:
    index = index_of(1000)
    one = shown_at(200, 600).model_copy(update={"gone": (300, 650)})
    found = plausible(one, 1, index, 1000.0)
    assert found.spans == ((0, 299), (600, 649))
    assert found.runs("forward") == [(200, 299), (600, 649)]
    assert found.runs("backward") == [(0, 200), (600, 600)]
