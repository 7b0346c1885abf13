"""Ids of maps that were saved in colour, where the coding is certain. All maps of a folder have the same:

- grey (all channels alike): its value
- the colours of PASCAL VOC and DAVIS: the index in their palette
- few other colours: R + 256 G + 65536 B, as COCO's panoptic maps; two colours are never one id
"""

from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from PIL import Image

from core.errors import BadMedia

_MOST_COLOURS = 2_000  # more are a photograph, or a map whose edges were smoothed
_LOOKED_AT = 40  # maps of a folder
Coding = Literal["grey", "voc", "panoptic"]
IN_WORDS: dict[Coding, str] = {
    "grey": "",
    "voc": "colours taken as PASCAL VOC's palette, ids as its indices",
    "panoptic": "colours taken as R + 256 G + 65536 B, as in COCO's panoptic maps",
}
"""What was taken for granted; "" for nothing."""


def voc_palette() -> npt.NDArray[np.uint8]:
    """The 256 colours [256, 3] of PASCAL VOC and DAVIS: the bits of an index dealt out to red, green, blue in turn."""
    index = np.arange(256)
    colours = np.zeros((256, 3), np.int64)
    for bit in range(8):
        for channel in range(3):
            colours[:, channel] |= (index >> (3 * bit + channel) & 1) << (7 - bit)
    return colours.astype(np.uint8)


def ids_of_colours(path: Path, image: npt.NDArray[Any]) -> tuple[npt.NDArray[np.int64], Coding]:
    """Ids [H, W] of an image [H, W, 2..4] of 8 or 16 bits, and the coding that was assumed.

    Args:
        path: of the map; the maps beside it count for the coding, too.
        image: its pixels.

    Raises:
        BadMedia: the coding is not certain; the message names the file and what can be done.
    """
    colours = _opaque(path.name, image).astype(np.int64)
    if colours.shape[2] == 1:
        return colours[..., 0], "grey"
    if image.dtype != np.uint8:
        return _deep(path.name, colours), "grey"
    packed = _packed(colours)
    distinct, inverse = np.unique(packed, return_inverse=True)
    if len(distinct) > _MOST_COLOURS:
        reason = f"{len(distinct):,} colours: a picture, or a map that was smoothed or scaled, no id map"
        raise BadMedia(f"{path.name}: {reason}")
    coding = coding_of([distinct, _colours_beside(path.parent, path.parent.stat().st_mtime_ns)])
    ids = {"grey": distinct & 255, "voc": _voc_index(distinct), "panoptic": distinct}[coding]
    return np.asarray(ids[inverse].reshape(packed.shape)), coding


def coding_of(colours: Iterable[npt.NDArray[np.int64]]) -> Coding:
    """The coding that fits all colours (packed as R + 256 G + 65536 B) of a folder's maps."""
    all_colours = np.unique(np.concatenate([*colours]))
    if (all_colours == (all_colours & 255) * 0x010101).all():
        return "grey"
    return "voc" if np.isin(all_colours, _packed(voc_palette().astype(np.int64))).all() else "panoptic"


@lru_cache(maxsize=64)
def _colours_beside(folder: Path, changed_ns: int) -> npt.NDArray[np.int64]:
    """The colours of some of a folder's coloured maps; the cache holds until the folder changes."""
    del changed_ns
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() == ".png" and path.name[0] != ".")
    found = [np.zeros(1, np.int64)]
    for path in paths[:: max(1, len(paths) // _LOOKED_AT)]:
        try:
            with Image.open(path, formats=("PNG",)) as image:
                if image.mode in ("RGB", "RGBA"):
                    counted = image.convert("RGB").getcolors(_MOST_COLOURS)
                    pixels = [colour for _, colour in counted or ()]
                    found.append(_packed(np.array(pixels, np.int64).reshape(-1, 3)))
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
            continue  # reported when it is read
    return np.unique(np.concatenate(found))


def _packed(colours: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    return np.asarray(colours[..., 0] + 256 * colours[..., 1] + 65_536 * colours[..., 2])


def _voc_index(packed: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    palette = _packed(voc_palette().astype(np.int64))
    order = np.argsort(palette)
    return np.asarray(order[np.searchsorted(palette, packed, sorter=order).clip(max=255)])


def _deep(name: str, colours: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """16 bits a channel: grey, or one channel alone. Raises `BadMedia`."""
    used = [channel for channel in range(3) if colours[..., channel].any()]
    if (colours == colours[..., :1]).all() or used == [0]:
        return np.asarray(colours[..., 0])
    raise BadMedia(f"{name}: 16-bit colours: nothing says how they code ids; save the ids as 16-bit grey")


def _opaque(name: str, image: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Without an alpha channel, which has to be the same everywhere. Raises `BadMedia`."""
    if image.shape[2] in (1, 3):
        return image
    alpha = image[..., -1]
    if (alpha != alpha[0, 0]).any():
        raise BadMedia(f"{name}: partly transparent: nothing says what its alpha means for ids; save it without")
    return image[..., :-1]
