"""COCO run-length encoding, bit-identical to `pycocotools.mask.encode` and several times faster."""

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt
from pycocotools import mask as coco
from typing_extensions import TypedDict

from core.masks import Box, Mask

MAX_PIXELS = 64_000_000  # as for pictures


class RLE(TypedDict):
    """COCO's compressed RLE as it stands in JSON: `size` is [height, width], `counts` ASCII text."""

    size: list[int]
    counts: str


def encode(mask: Mask) -> RLE:
    """Run-length encode a mask, column by column as COCO does.

    The cost of the usual way is the transposition of the whole picture. Only the mask's bounding box is
    transposed here (by OpenCV, cache-blocked), and its runs are shifted to where they stand in the full picture.
    """
    height, width = mask.shape
    x, y, box_width, box_height = cv2.boundingRect(mask.view(np.uint8))
    if box_width == 0:
        return _compress([height * width], height, width)
    columns = cv2.transpose(mask[y : y + box_height, x : x + box_width].view(np.uint8))
    if box_height < height:
        # A zero after each column keeps runs from joining across columns, which lie apart in the full picture.
        stride = box_height + 1
        columns = cv2.copyMakeBorder(columns, 0, 0, 0, 1, cv2.BORDER_CONSTANT, value=0)
        edges = _edges(np.asarray(columns, np.uint8))
        edges = (edges // stride + x) * height + edges % stride + y
    else:
        edges = _edges(np.asarray(columns, np.uint8)) + x * height
    counts = np.diff(edges, prepend=0, append=height * width)
    # A run that ends with the picture leaves an empty last count, which COCO does not write.
    return _compress((counts if counts[-1] else counts[:-1]).tolist(), height, width)


def _edges(columns: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
    flat = np.zeros(columns.size + 2, np.uint8)
    flat[1:-1] = columns.ravel()
    return np.flatnonzero(flat[1:] != flat[:-1])


def _compress(counts: list[int], height: int, width: int) -> RLE:
    size = [height, width]
    packed = coco.frPyObjects({"size": size, "counts": counts}, height, width)
    return {"size": size, "counts": packed["counts"].decode("ascii")}


def decode(rle: RLE) -> Mask:
    """The mask [H, W] of an RLE."""
    return np.asarray(np.ascontiguousarray(coco.decode(rle)).view(np.bool_), np.bool_)


def union(first: RLE, second: RLE) -> RLE:
    """What lies in either. Raises `ValueError` where they are of different sizes."""
    if list(first["size"]) != list(second["size"]):
        raise ValueError(f"masks of {first['size']} and {second['size']} (height, width) cannot be joined")
    merged = coco.merge([first, second])
    return {"size": list(first["size"]), "counts": merged["counts"].decode("ascii")}


def from_runs(size: Sequence[int], counts: Sequence[int]) -> RLE:
    """COCO's RLE before it is packed: lengths of runs, pixels outside first. Raises `ValueError` as `check`."""
    pixels = size[0] * size[1] if len(size) == 2 and min(size) >= 1 else 0
    whole = all(isinstance(count, int) and count >= 0 for count in counts)
    if not 0 < pixels <= MAX_PIXELS or not whole or sum(counts) != pixels:
        raise ValueError(f"an RLE's runs fill its size {list(size)} (height, width)")
    return _compress(list(counts), size[0], size[1])


def check(rle: RLE) -> RLE:
    """The same RLE. Raises `ValueError` where its runs do not fill its size: pycocotools would read past their end."""
    runs(rle)
    return rle


def runs(rle: RLE) -> list[int]:
    """The lengths of the runs, pixels outside first: COCO's RLE before it is packed. Raises as `check`."""
    if len(rle["size"]) != 2 or min(rle["size"]) < 1 or rle["size"][0] * rle["size"][1] > MAX_PIXELS:
        raise ValueError(f"an RLE's size is [height, width] of at most {MAX_PIXELS:,} pixels, not {rle['size']}")
    counts: list[int] = []
    value = shift = 0
    for character in rle["counts"].encode("ascii", "replace"):
        digit = character - 48
        if not 0 <= digit < 64 or shift > 30:
            raise ValueError("an RLE's counts are COCO's compressed text")
        value |= (digit & 0x1F) << shift
        shift += 5
        if digit & 0x20:
            continue
        if digit & 0x10:
            value -= 1 << shift
        counts.append(value + (counts[-2] if len(counts) > 2 else 0))
        value = shift = 0
    if shift or min(counts, default=0) < 0 or sum(counts) != rle["size"][0] * rle["size"][1]:
        raise ValueError(f"an RLE's runs fill its size {rle['size']}")
    return counts


def area(rle: RLE) -> int:
    """Number of pixels."""
    return int(coco.area(rle))


def box_xyxy(rle: RLE) -> Box:
    """Bounding box of an RLE; all zeros when it is empty."""
    x, y, width, height = (float(v) for v in coco.toBbox(rle))
    return x, y, x + width, y + height


def iou_matrix(first: Sequence[RLE], second: Sequence[RLE]) -> npt.NDArray[np.float64]:
    """Intersection over union of every pair, [len(first), len(second)], without decoding."""
    if not first or not second:
        return np.zeros((len(first), len(second)))
    return np.asarray(coco.iou(list(first), list(second), [False] * len(second)), np.float64)
