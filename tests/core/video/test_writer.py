import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from core.video.source import open_video
from core.video.writer import write_video


def test_odd_sizes_and_uneven_times_survive(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    times = [0.0, 0.1, 0.5, 0.52]
    with write_video(path, 10, 33, 21) as video:
        for index, time_s in enumerate(times):
            video.write(np.full((21, 33, 3), 60 * index, np.uint8), time_s)
    with open_video(path) as read:
        frames = list(read.frames())
    assert [f.time_s for f in frames] == pytest.approx(times, abs=1e-3)
    assert frames[0].image.shape == (22, 34, 3)
    assert abs(int(frames[2].image[10, 10, 1]) - 120) < 6


def test_a_failure_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="stop"), write_video(tmp_path / "a.mp4", 10, 32, 32) as video:
        video.write(np.zeros((32, 32, 3), np.uint8), 0.0)
        raise RuntimeError("stop")
    assert list(tmp_path.iterdir()) == []


def _encode(path: Path, *sizes: tuple[int, int]) -> None:
    """A textured picture that moves, at each (width, height), one file after the other."""
    texture = np.random.default_rng(0).integers(0, 255, (30, 40, 3)).astype(np.uint8)
    for width, height in sizes:
        still = cv2.resize(texture, (width, height), interpolation=cv2.INTER_CUBIC)
        with write_video(path / f"{width}.mp4", 10, width, height) as video:
            for index in range(30):
                video.write(np.roll(still, 3 * index, 1), index / 10)


SIZES = (320, 240), (854, 480), (323, 181)


# glibc fills new memory with the complement of this byte: what an encoder reads before writing it shows in the file.
@pytest.mark.parametrize("fill", [1, 3, 200])
def test_the_same_frames_give_the_same_bytes_whatever_memory_held_before(tmp_path: Path, fill: int) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    _encode(here, *SIZES)
    code = f"from pathlib import Path; from {__name__} import _encode, SIZES; _encode(Path({str(there)!r}), *SIZES)"
    subprocess.run([sys.executable, "-c", code], env={**os.environ, "MALLOC_PERTURB_": str(fill)}, check=True)
    for width, _ in SIZES:
        assert (here / f"{width}.mp4").read_bytes() == (there / f"{width}.mp4").read_bytes()


@pytest.fixture
def share_of_cores() -> Iterator[None]:
    before = cv2.getNumThreads()
    yield
    cv2.setNumThreads(before)


@pytest.mark.usefixtures("share_of_cores")
def test_the_same_frames_give_the_same_bytes_whatever_the_share_of_the_cores(tmp_path: Path) -> None:
    for threads in (1, 2, 3):
        cv2.setNumThreads(threads)
        _encode(tmp_path / str(threads), (320, 240))
    assert len({(tmp_path / str(threads) / "320.mp4").read_bytes() for threads in (1, 2, 3)}) == 1
