"""Single images: which files are images, in what order, and how they are read."""

import re
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from core.errors import BadMedia
from core.video.frames import RGB
from core.video.limits import check_size

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".avif"})
_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "AVIF")
_MAX_16_BIT = 65_535
_ORIENTATION, _LYING = 0x0112, range(5, 9)  # EXIF
_BACK = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
"""What undoes turning an image upright, by EXIF orientation."""
_TURNS = {
    2: "mirrored", 3: "by 180 degrees", 4: "by 180 degrees, mirrored", 5: "by 90 degrees, mirrored", 6: "by 90 degrees",
    7: "by 270 degrees, mirrored", 8: "by 270 degrees",
}  # fmt: skip


def natural_key(name: str) -> tuple[list[tuple[int, int, str]], str]:
    """Sort key under which `frame_2` comes before `frame_10`; no two names have the same."""
    parts = [part for part in re.split(r"([0-9]+)", name) if part]
    return [(0, int(part), "") if re.fullmatch("[0-9]+", part) else (1, 0, part) for part in parts], name


def read_image(path: Path, upright: bool = True) -> RGB:
    """RGB [H, W, 3] of 8 bits, turned upright (EXIF) or as stored.

    16-bit grey and colour are scaled by their range (65535 becomes 255), floats from 0 to 1 likewise; black and white
    becomes 0 and 255, palettes and CMYK their colours; alpha is left out.

    Raises:
        BadMedia: it cannot be read, is over the ceiling, or holds numbers that are no brightness.
    """
    if not path.is_file():
        wrong = "a link to what does not exist" if path.is_symlink() and not path.exists() else "not a regular file"
        raise BadMedia(f"{path.name}: {wrong}")
    with _opened(path) as image:
        check_size(path.name, *image.size)
        orientation = image.getexif().get(_ORIENTATION, 1)
        if image.format == "TIFF":  # which Pillow turns upright by itself as it loads it
            turned = image if upright or orientation not in _BACK else image.transpose(_BACK[orientation])
        else:
            turned = ImageOps.exif_transpose(image) if upright else image
        if turned.mode == "F" or turned.mode.startswith("I"):
            return _deep(path.name, turned)
        return np.array(turned.convert("RGB"))


def turned_upright(path: Path) -> str:
    """How an image is turned to be upright, in words; "" where it is stored so. Raises as `read_image`."""
    with _opened(path) as image:
        return _TURNS.get(image.getexif().get(_ORIENTATION, 1), "")


def upright_size(path: Path) -> tuple[int, int]:
    """Height and width of an image, turned upright, without decoding it. Raises as `read_image`."""
    with _opened(path) as image:
        check_size(path.name, *image.size)
        width, height = image.size
        lying = image.format != "TIFF" and image.getexif().get(_ORIENTATION, 1) in _LYING
        return (width, height) if lying else (height, width)


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """The image in a file; whatever is wrong with it is raised in the body, too, as `BadMedia`."""
    try:
        with Image.open(path, formats=_FORMATS) as image:
            yield image
    except (OSError, ValueError, SyntaxError, RuntimeError, struct.error, Image.DecompressionBombError) as error:
        raise BadMedia(f"{path.name}: unreadable image ({error})") from None


def _deep(name: str, image: Image.Image) -> RGB:
    """An image of more than 8 bits: always by the range of its type, so that a film does not flicker."""
    grey = np.asarray(image)
    lowest, highest = grey.min(), grey.max()  # NaN where there is one
    most = 1.0 if image.mode == "F" else _MAX_16_BIT
    if not (lowest >= 0 and highest <= most):
        raise BadMedia(f"{name}: values from {lowest:g} to {highest:g}; convert it, 0 to {most:g} are accepted")
    scaled = np.rint(grey * (255 / most)).astype(np.uint8)
    return np.repeat(scaled[..., None], 3, axis=2)
