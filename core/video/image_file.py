"""Single images: which files are images, in what order, and how they are read."""

import re
import struct
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from core.errors import BadMedia
from core.video.frames import RGB
from core.video.limits import check_size

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"})
_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF")


def natural_key(name: str) -> tuple[list[tuple[int, int, str]], str]:
    """Sort key under which `frame_2` comes before `frame_10`; no two names have the same."""
    parts = [part for part in re.split(r"([0-9]+)", name) if part]
    return [(0, int(part), "") if re.fullmatch("[0-9]+", part) else (1, 0, part) for part in parts], name


def read_image(path: Path, upright: bool = True) -> RGB:
    """RGB [H, W, 3], turned upright or as stored. Raises `BadMedia` where it cannot be read or is over the ceiling."""
    try:
        with Image.open(path, formats=_FORMATS) as image:
            check_size(path.name, *image.size)
            return np.array((ImageOps.exif_transpose(image) if upright else image).convert("RGB"))
    except (OSError, ValueError, SyntaxError, struct.error, Image.DecompressionBombError) as error:
        raise BadMedia(f"{path.name}: unreadable image ({error})") from None
