import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.errors import BadMedia
from core.video.image_file import natural_key
from core.video.source import open_video, read_ahead


def test_reading_ahead_keeps_order_and_stays_within_its_depth() -> None:
    made: list[int] = []

    def numbers() -> Iterator[int]:
        for number in range(50):
            made.append(number)
            yield number

    with read_ahead(numbers(), depth=3) as items:
        first = next(items)
        time.sleep(0.3)
        assert len(made) <= 1 + 3 + 1
        assert [first, *items] == list(range(50))


def test_an_error_of_the_producer_reaches_the_consumer_in_its_place() -> None:
    def failing() -> Iterator[int]:
        yield 1
        raise BadMedia("frame 2 is broken")

    with read_ahead(failing()) as items:
        assert next(items) == 1
        with pytest.raises(BadMedia, match="frame 2"):
            next(items)


def test_leaving_early_stops_the_thread() -> None:
    before = threading.active_count()
    with read_ahead(iter(range(10**9)), depth=2) as items:
        assert next(items) == 0
    assert threading.active_count() == before


def test_a_folder_of_images_is_a_video_in_natural_order(tmp_path: Path) -> None:
    for number in (10, 2, 1):
        Image.fromarray(np.full((8, 12, 3), number * 10, np.uint8)).save(tmp_path / f"frame_{number}.png")
    (tmp_path / "notes.txt").write_text("x")
    with open_video(tmp_path) as video:
        frames = list(video.frames())
    assert [int(f.image[0, 0, 0]) for f in frames] == [10, 20, 100]
    assert [f.source_frame for f in frames] == [0, 1, 2]
    assert (video.info.width, video.info.height) == (12, 8)


def test_images_of_another_size_or_unreadable_ones_are_named(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((8, 12, 3), np.uint8)).save(tmp_path / "0.png")
    Image.fromarray(np.zeros((9, 12, 3), np.uint8)).save(tmp_path / "1.png")
    with pytest.raises(BadMedia, match=r"1.png: 12x9 pixels, the first is 12x8"), open_video(tmp_path) as video:
        list(video.frames())
    (tmp_path / "1.png").write_bytes(b"garbage")
    with pytest.raises(BadMedia, match=r"1\.png: unreadable"), open_video(tmp_path) as video:
        list(video.frames())


def test_natural_order() -> None:
    assert sorted(["b2", "b10", "a", "10", "9"], key=natural_key) == ["9", "10", "a", "b2", "b10"]
