"""Single images: which files are images, in what order, and how they are read."""

import re
import struct
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from core.errors import BadMedia
from core.video.frames import RGB
from core.video.limits import check_size

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".avif"})
_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "AVIF")
_MAX_16_BIT = 65_535


def natural_key(name: str) -> tuple[list[tuple[int, int, str]], str]:
    """Sort key under which `frame_2` comes before `frame_10`; no two names have the same."""
    parts = [part for part in re.split(r"([0-9]+)", name) if part]
    return [(0, int(part), "") if re.fullmatch("[0-9]+", part) else (1, 0, part) for part in parts], name


def read_image(path: Path, upright: bool = True) -> RGB:
    """RGB [H, W, 3], turned upright or as stored; 16-bit grey and floats from 0 to 1 are scaled to 8 bits.

    Raises:
        BadMedia: it cannot be read, is over the ceiling, or holds numbers that are no brightness.
    """
    if not path.is_file():
        wrong = "a link to what does not exist" if path.is_symlink() and not path.exists() else "not a regular file"
        raise BadMedia(f"{path.name}: {wrong}")
    try:
        with Image.open(path, formats=_FORMATS) as image:
            check_size(path.name, *image.size)
            turned = ImageOps.exif_transpose(image) if upright else image
            if turned.mode == "F" or turned.mode.startswith("I"):
                return _deep(path.name, turned)
            return np.array(turned.convert("RGB"))
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
