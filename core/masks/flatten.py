"""From masks that may overlap to a map in which each pixel belongs to one object at most."""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from core.masks import rle


def flatten(objects: Iterable[tuple[int, rle.RLE, float | None]], height: int, width: int) -> npt.NDArray[np.int32]:
    """An id map [H, W], 0 where there is nothing.

    Where masks overlap, the pixel goes to the object with the higher score, of equal ones to the smaller.

    Args:
        objects: id (1 or more), mask and score of each.
        height: of the picture.
        width: of the picture.
    """
    ordered = sorted(objects, key=lambda one: (1.0 if one[2] is None else one[2], -rle.area(one[1])))
    ids = np.zeros((height, width), np.int32)
    for obj_id, mask, _ in ordered:
        x0, y0, x1, y1 = (int(v) for v in rle.box_xyxy(mask))  # objects are far smaller than pictures
        ids[y0:y1, x0:x1][rle.decode(mask)[y0:y1, x0:x1]] = obj_id
    return ids
