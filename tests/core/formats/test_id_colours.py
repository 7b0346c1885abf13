from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from core.errors import BadMedia
from core.formats.id_colours import voc_palette
from core.formats.id_maps import read_coded_map


def _read(tmp_path: Path, pixels: np.ndarray, mode: str | None = None) -> tuple[list[int], str]:
    path = tmp_path / "map.png"
    if pixels.dtype == np.uint16:
        cv2.imwrite(str(path), pixels[..., ::-1])
    else:
        Image.fromarray(pixels, mode).save(path)
    read = read_coded_map(path)
    return np.unique(read.ids).tolist(), read.coding


def _colours(*colours: tuple[int, ...], dtype: type = np.uint8) -> np.ndarray:
    return np.array([[colour] * 6 for colour in ((0,) * len(colours[0]), *colours)], dtype)


def test_a_palette_saved_as_rgb(tmp_path: Path) -> None:
    palette = [tuple(int(v) for v in colour) for colour in voc_palette()]
    assert palette[1:4] == [(128, 0, 0), (0, 128, 0), (128, 128, 0)]
    for ids in ([1], [1, 2], [3, 77, 254]):
        found, coding = _read(tmp_path, _colours(*(palette[one] for one in ids)))
        assert found == [0, *ids]
        assert "VOC" in coding


def test_panoptic_colours(tmp_path: Path) -> None:
    found, coding = _read(tmp_path, _colours((44, 1, 0), (44, 3, 0), (7, 2, 9)))
    assert found == [0, 300, 812, 7 + 512 + 9 * 65_536]
    assert "panoptic" in coding


def test_grey_in_three_channels_and_one_channel_alone_are_numbers(tmp_path: Path) -> None:
    assert _read(tmp_path, _colours((5, 5, 5), (200, 200, 200))) == ([0, 5, 200], "")
    assert _read(tmp_path, _colours((5, 0, 0), (9, 0, 0)))[0] == [0, 5, 9]
    deep = _colours((700, 700, 700), (5, 5, 5), dtype=np.uint16)
    assert _read(tmp_path, deep) == ([0, 5, 700], "")
    assert _read(tmp_path, _colours((5, 255), (9, 255))[1:], "LA")[0] == [5, 9]


def test_all_maps_of_a_folder_have_one_coding(tmp_path: Path) -> None:
    """A colour that could be of several codings alone is what the maps beside it say."""
    palette: list[tuple[int, ...]] = [tuple(int(v) for v in colour) for colour in voc_palette()]
    sets: dict[str, list[list[tuple[int, ...]]]] = {
        "voc": [palette[7:8], palette[1:3]],
        "panoptic": [[(128, 0, 0)], [(128, 0, 0), (44, 1, 0)], [(5, 5, 5)]],
    }
    for name, maps in sets.items():
        (tmp_path / name).mkdir()
        for number, colours in enumerate(maps):
            Image.fromarray(_colours(*colours)).save(tmp_path / name / f"{number}.png")
    read = {
        name: [np.unique(read_coded_map(tmp_path / name / f"{n}.png").ids)[1:].tolist() for n in range(len(maps))]
        for name, maps in sets.items()
    }
    assert read["voc"] == [[7], [1, 2]]
    assert read["panoptic"] == [[128], [128, 300], [5 + 256 * 5 + 65_536 * 5]]


@pytest.mark.parametrize(
    ("pixels", "why"),
    [
        (np.random.default_rng(0).integers(0, 255, (90, 90, 3), np.uint8), "colours: a picture"),
        (_colours((700, 1, 0), (9, 300, 2), dtype=np.uint16), "16-bit colours"),
        (_colours((5, 6, 7, 255), (9, 8, 7, 40))[1:], "partly transparent"),
    ],
)
def test_what_is_not_certain_is_refused_by_name(tmp_path: Path, pixels: np.ndarray, why: str) -> None:
    with pytest.raises(BadMedia, match=rf"map\.png: .*{why}"):
        _read(tmp_path, pixels)
