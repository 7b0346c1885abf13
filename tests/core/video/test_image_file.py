from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from core.errors import BadMedia
from core.video.image_file import read_image, turned_upright, upright_size


def test_16_bit_grey_is_scaled(tmp_path: Path) -> None:
    grey = np.linspace(0, 65535, 256).astype(np.uint16).reshape(16, 16)
    for name in ("a.png", "a.tif"):
        Image.fromarray(grey).save(tmp_path / name)
        read = read_image(tmp_path / name)
        assert read.shape == (16, 16, 3)
        assert read[..., 0].ravel().tolist() == list(range(256))


def test_a_dark_16_bit_image_stays_dark(tmp_path: Path) -> None:
    Image.fromarray(np.full((4, 4), 2570, np.uint16)).save(tmp_path / "a.png")
    assert read_image(tmp_path / "a.png").max() == 10


def test_floats_from_0_to_1_are_scaled(tmp_path: Path) -> None:
    Image.fromarray(np.array([[0.0, 0.5, 1.0]], np.float32)).save(tmp_path / "a.tiff")
    assert read_image(tmp_path / "a.tiff")[0, :, 0].tolist() == [0, 128, 255]


@pytest.mark.parametrize("value", [300.0, -1.0, float("nan"), float("inf")])
def test_floats_that_are_no_brightness_are_refused(value: float, tmp_path: Path) -> None:
    Image.fromarray(np.array([[0.0, value]], np.float32)).save(tmp_path / "a.tiff")
    with pytest.raises(BadMedia, match=r"a\.tiff: values from .* 0 to 1 are accepted"):
        read_image(tmp_path / "a.tiff")


def test_32_bit_integers_are_read_as_16_bit(tmp_path: Path) -> None:
    Image.fromarray(np.array([[0, 65535]], np.int32)).save(tmp_path / "a.tiff")
    assert read_image(tmp_path / "a.tiff")[0, :, 0].tolist() == [0, 255]
    Image.fromarray(np.array([[0, 70_000]], np.int32)).save(tmp_path / "b.tiff")
    with pytest.raises(BadMedia, match=r"b\.tiff"):
        read_image(tmp_path / "b.tiff")


def test_a_dangling_link_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.png").symlink_to(tmp_path / "gone.png")
    with pytest.raises(BadMedia, match=r"a\.png: a link to what does not exist"):
        read_image(tmp_path / "a.png")


def test_avif_is_read(tmp_path: Path) -> None:
    Image.new("RGB", (32, 16), (200, 30, 30)).save(tmp_path / "a.avif")
    assert read_image(tmp_path / "a.avif").shape == (16, 32, 3)


@pytest.mark.parametrize("ending", ["png", "tif"])
def test_every_depth_becomes_8_bit_rgb(tmp_path: Path, ending: str) -> None:
    half = np.array([[False, True]])
    images = {
        "black and white": Image.fromarray(half),
        "palette": Image.fromarray(np.array([[0, 255]], np.uint8)).convert("P"),
        "alpha": Image.fromarray(np.array([[[0, 0, 0, 9], [255, 255, 255, 200]]], np.uint8)),
        "grey with alpha": Image.fromarray(np.array([[[0, 9], [255, 200]]], np.uint8), "LA"),
    }
    if ending == "tif":
        images["cmyk"] = Image.fromarray(np.array([[[0, 0, 0, 255], [0, 0, 0, 0]]], np.uint8), "CMYK")
    for name, image in images.items():
        image.save(tmp_path / f"{name}.{ending}")
        read = read_image(tmp_path / f"{name}.{ending}")
        assert read.dtype == np.uint8
        assert read.tolist() == [[[0, 0, 0], [255, 255, 255]]], name


def test_16_bit_colour_is_scaled(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.array([[[0, 32_896, 65_535]]], np.uint16))
    assert read_image(tmp_path / "a.png").tolist() == [[[255, 128, 0]]]


@pytest.mark.parametrize("ending", ["png", "tif", "jpg"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_of_every_kind_of_file(tmp_path: Path, ending: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = np.zeros((16, 32, 3), np.uint8)
    stored[:8, :8] = 255
    path = tmp_path / f"a.{ending}"
    Image.fromarray(stored).save(path, exif=exif)
    upright, as_stored = read_image(path), read_image(path, upright=False)
    assert np.abs(as_stored.astype(int) - stored).max() < 40
    assert upright.shape[:2] == ((32, 16) if orientation > 4 else (16, 32)) == upright_size(path)
    corner = {1: (0, 0), 2: (0, -1), 3: (-1, -1), 4: (-1, 0), 5: (0, 0), 6: (0, -1), 7: (-1, -1), 8: (-1, 0)}
    assert upright[corner[orientation]][0] > 200
    assert bool(turned_upright(path)) == (orientation != 1)
