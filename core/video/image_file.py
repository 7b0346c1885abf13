"""Single images: which files are images, in what order, and how they are read."""

import re
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from core.errors import BadMedia
from core.video.frames import RGB
from core.video.limits import check_size

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"})
_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF")


def natural_key(name: str) -> list[tuple[int, int, str]]:
    """Sort key under which `frame_2` comes before `frame_10`."""
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in re.split(r"([0-9]+)", name) if part]


def read_image(path: Path) -> RGB:
    """RGB [H, W, 3], turned upright. Raises `BadMedia` where it cannot be read or is over the ceiling."""
    try:
        with Image.open(path, formats=_FORMATS) as image:
            check_size(path.name, *image.size)
            return np.array(ImageOps.exif_transpose(image).convert("RGB"))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise BadMedia(f"{path.name}: unreadable image ({error})") from None
