"""The eight orientations, written into a real file's track header and decoded."""

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import MakeVideo

from core.video.orientation import Orientation
from core.video.source import open_video

ONE = 65536
Change = Callable[[np.ndarray], np.ndarray]
# a, b, c, d of the display matrix; how NumPy makes the same picture.
MATRICES: dict[str, tuple[tuple[int, int, int, int], Change]] = {
    "as it is": ((1, 0, 0, 1), lambda image: image),
    "turned right": ((0, 1, -1, 0), lambda image: np.rot90(image, -1)),
    "upside down": ((-1, 0, 0, -1), lambda image: np.rot90(image, 2)),
    "turned left": ((0, -1, 1, 0), lambda image: np.rot90(image, 1)),
    "left and right exchanged": ((-1, 0, 0, 1), lambda image: image[:, ::-1]),
    "top and bottom exchanged": ((1, 0, 0, -1), lambda image: image[::-1]),
    "transposed": ((0, 1, 1, 0), lambda image: image.transpose(1, 0, 2)),
    "transposed along the other diagonal": ((0, -1, -1, 0), lambda image: image[::-1, ::-1].transpose(1, 0, 2)),
}


@pytest.mark.parametrize("name", MATRICES)
def test_a_display_matrix_is_applied(name: str, tmp_path: Path, make_video: MakeVideo) -> None:
    (a, b, c, d), expected = MATRICES[name]
    plain = make_video(tmp_path / "plain.mp4")
    data = bytearray(plain.read_bytes())
    at = data.rfind(struct.pack(">9i", ONE, 0, 0, 0, ONE, 0, 0, 0, 1 << 30))
    data[at : at + 36] = struct.pack(">9i", a * ONE, b * ONE, 0, c * ONE, d * ONE, 0, 0, 0, 1 << 30)
    (tmp_path / "turned.mp4").write_bytes(data)
    with open_video(plain) as video, open_video(tmp_path / "turned.mp4") as turned:
        first = next(iter(turned.frames())).image
        assert np.array_equal(first, expected(next(iter(video.frames())).image))
        assert (turned.info.height, turned.info.width) == first.shape[:2]


def test_orientations_are_eight() -> None:
    image = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    shown = {
        Orientation(turns, mirrored).apply(image).tobytes() for turns in range(4) for mirrored in (False, True)
    }  # fmt: skip
    assert len(shown) == 8
