"""Ids of a map that was saved in colour, where the coding is certain.

- grey (all channels alike), or one channel alone: its value
- the colours of PASCAL VOC and DAVIS: the index in their palette
- few other colours: R + 256 G + 65536 B, as COCO's panoptic maps; two colours are never one id
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from core.errors import BadMedia

_MOST_COLOURS = 2_000  # more are a photograph, or a map whose edges were smoothed


def voc_palette() -> npt.NDArray[np.uint8]:
    """The 256 colours [256, 3] of PASCAL VOC and DAVIS: the bits of an index dealt out to red, green, blue in turn."""
    index = np.arange(256)
    colours = np.zeros((256, 3), np.int64)
    for bit in range(8):
        for channel in range(3):
            colours[:, channel] |= (index >> (3 * bit + channel) & 1) << (7 - bit)
    return colours.astype(np.uint8)


def ids_of_colours(name: str, image: npt.NDArray[Any]) -> tuple[npt.NDArray[np.int64], str]:
    """Ids [H, W] of an image [H, W, 2..4] of 8 or 16 bits, and the coding that was assumed, in words.

    Raises:
        BadMedia: the coding is not certain; the message names the file and what can be done.
    """
    colours = _opaque(name, image).astype(np.int64)
    if colours.shape[2] == 1 or (colours == colours[..., :1]).all():
        return colours[..., 0], ""
    used = [channel for channel in range(3) if colours[..., channel].any()]
    packed = colours[..., 0] + (colours[..., 1] << 16) + (colours[..., 2] << 32)
    distinct, inverse = np.unique(packed, return_inverse=True)
    if len(distinct) > _MOST_COLOURS:
        raise BadMedia(f"{name}: {len(distinct):,} colours: a picture, or a map that was smoothed or scaled, no id map")
    palette = voc_palette().astype(np.int64)
    by_colour = {int(r + (g << 16) + (b << 32)): place for place, (r, g, b) in enumerate(palette)}
    if image.dtype == np.uint8 and all(int(colour) in by_colour for colour in distinct):
        ids = np.array([by_colour[int(colour)] for colour in distinct])[inverse]
        return ids.reshape(packed.shape), "colours taken as PASCAL VOC's palette, ids as its indices"
    if len(used) == 1:
        return colours[
            ..., used[0]
        ], f"ids taken from the {('red', 'green', 'blue')[used[0]]} channel, the only one used"
    if image.dtype != np.uint8:
        raise BadMedia(f"{name}: 16-bit colours: nothing tells how they code ids; save the ids as 16-bit grey")
    ids = colours[..., 0] + 256 * colours[..., 1] + 65_536 * colours[..., 2]
    return ids, "colours taken as R + 256 G + 65536 B, as in COCO's panoptic maps"


def _opaque(name: str, image: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Without an alpha channel, which has to be the same everywhere. Raises `BadMedia`."""
    if image.shape[2] in (1, 3):
        return image
    alpha = image[..., -1]
    if (alpha != alpha[0, 0]).any():
        raise BadMedia(f"{name}: partly transparent: nothing tells what its alpha means for ids; save it without")
    return image[..., :-1]
