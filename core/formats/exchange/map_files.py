"""Maps of ids as files of a video's frames: what the readers of DAVIS, SA-V, MOTS and scenes have in common."""

from pathlib import Path

import numpy as np

from core.errors import BadMedia, UnsafeFile
from core.formats.exchange.model import OBJECT, BadResults, SeenObject
from core.formats.id_maps import CodedMap, read_coded_map
from core.masks import Mask, rle


def read_map(path: Path, size: tuple[int, ...] | None = None) -> CodedMap:
    """A map of `size` (height, width), that of the first map of its video. Raises `BadResults`."""
    try:
        coded = read_coded_map(path)
    except (BadMedia, UnsafeFile, OSError) as error:
        raise BadResults(f"{path}: {error}") from None
    height, width = coded.ids.shape
    if size is not None and coded.ids.shape != size:
        raise BadResults(f"{path}: {width}x{height} pixels, the first is {size[1]}x{size[0]}")
    return coded


def seen_mask(obj_id: int, mask: Mask, label: str = OBJECT, name: str | None = None) -> SeenObject:
    """An object of this mask [H, W], and the box around it."""
    packed = rle.encode(np.asarray(mask, np.bool_))
    return SeenObject(obj_id, label, rle.box_xyxy(packed), rle=packed, name=name)
