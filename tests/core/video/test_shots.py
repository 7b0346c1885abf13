from collections.abc import Iterator
from itertools import islice

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.evaluation.clips import SCENES, render_scene
from core.video.frames import RGB, Frame
from core.video.shots import BEFORE, mark_cuts


def _frames(images: list[RGB], fps: float = 30.0) -> list[Frame]:
    return [Frame(image, index, index / fps) for index, image in enumerate(images)]


def _scene(number: int, frames: int) -> list[RGB]:
    return [image for image, _ in islice(render_scene(SCENES[number], number), frames)]


def _cuts(images: list[RGB], fps: float = 30.0) -> list[int]:
    return [frame.source_frame for frame in mark_cuts(_frames(images, fps)) if frame.begins_shot]


def test_cuts_are_found_on_their_frame_and_motion_is_none() -> None:
    images = _scene(0, 20) + _scene(1, 15) + _scene(2, 12)
    assert _cuts(images) == [20, 35]


def test_frames_pass_through_unchanged_and_in_order() -> None:
    frames = _frames(_scene(0, 8) + _scene(1, 8))
    marked = list(mark_cuts(iter(frames)))
    assert [frame.source_frame for frame in marked] == list(range(16))
    assert all(
        one.image is other.image and one.time_s == other.time_s for one, other in zip(frames, marked, strict=True)
    )


@pytest.mark.parametrize("frames", range(6))
def test_short_streams_are_one_shot(frames: int) -> None:
    images = _scene(0, frames // 2) + _scene(1, frames - frames // 2)
    assert [frame.source_frame for frame in mark_cuts(_frames(images))] == list(range(frames))


def test_a_flash_is_no_cut() -> None:
    images = _scene(0, 20)
    images[10] = np.full_like(images[10], 255)
    assert _cuts(images) == []


def test_what_comes_in_while_nobody_looks_is_no_cut() -> None:
    ground = np.random.default_rng(0).integers(90, 130, (90, 160, 1), np.uint8).repeat(3, axis=2)
    someone = ground.copy()
    someone[20:, 50:90] = 0
    images = [ground] * 6 + [someone] * 6
    assert _cuts(images, fps=1.0) == []
    assert _cuts(_scene(0, 6) + [255 - image for image in _scene(1, 6)], fps=1.0) == [6]


def test_pictures_of_several_sizes_are_compared() -> None:
    images = [image[: 200 + index, : 300 + 2 * index] for index, image in enumerate(_scene(0, 12))]
    assert _cuts(images) == []


def _several_shots() -> list[RGB]:
    rng = np.random.default_rng(1)
    shots = [rng.integers(0, 256, (18, 32, 3), np.uint8) for _ in range(4)]

    def shaken(image: RGB) -> Iterator[RGB]:
        while True:
            yield np.clip(image + rng.normal(0, 3, image.shape), 0, 255).astype(np.uint8)

    return [image for shot in shots for image in islice(shaken(shot), 7)]


IMAGES = _several_shots()


@settings(max_examples=20)
@given(st.integers(1, len(IMAGES) - 1))
def test_a_stream_that_goes_on_gets_the_same_marks(done: int) -> None:
    frames = _frames(IMAGES)
    whole = [frame.begins_shot for frame in mark_cuts(frames)]
    assert sum(whole) == 3
    tail = [frame for frame in mark_cuts(frames[max(0, done - BEFORE) :]) if frame.source_frame >= done]
    assert [frame.begins_shot for frame in tail] == whole[done:]
