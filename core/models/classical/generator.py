"""The built-in mask generator: regions that stay what they are while the picture around them merges."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from core.masks.region import Region
from core.models.classical.merging import MergeTree, merge_all
from core.models.classical.superpixels import Superpixels, superpixels
from core.models.roles import GeneratedMask
from core.video.frames import RGB

_STEP_PX = 8
_MOST_SUPERPIXELS = 50_000
_SMALLEST_PX = 40
_LARGEST_SHARE = 0.6
_LEAST_STABILITY = 0.35


class ClassicalMaskGenerator:
    """Implements `MaskGenerator` by merging superpixels: no weights, no training.

    Its masks are the superpixels and those nodes of the merge tree that live for a while: `stability` is the share of
    a node's levels in which it stays as it is, 1 - born / gone. They are nested: many more than a neural generator's.
    """

    def generate(self, image: RGB) -> list[GeneratedMask]:
        """See `MaskGenerator.generate`."""
        height, width = image.shape[:2]
        step = max(_STEP_PX, round((height * width / _MOST_SUPERPIXELS) ** 0.5))
        cut = superpixels(image, step)
        tree = merge_all(cut)
        stability = 1 - tree.born / np.maximum(tree.gone, 1e-9)
        wanted = (tree.area >= _SMALLEST_PX) & (tree.area <= _LARGEST_SHARE * height * width)
        wanted &= stability >= _LEAST_STABILITY
        return [_mask(region, float(stability[node])) for node, region in _regions(cut, tree, wanted)]


def _mask(region: Region, stability: float) -> GeneratedMask:
    # A pixel of the middle row stands for the point it was grown from; being in one piece, it has pixels in every row.
    row = len(region.mask) // 2
    columns = np.flatnonzero(region.mask[row])
    point = float(region.x + columns[len(columns) // 2]), float(region.y + row)
    return GeneratedMask(region, stability, stability, point)


def _regions(cut: Superpixels, tree: MergeTree, wanted: npt.NDArray[np.bool_]) -> Iterator[tuple[int, Region]]:
    """The pixels of each wanted node. A node's superpixels stand in a row once they are put in the tree's order."""
    first, last = _leaf_ranges(tree, len(cut.area))
    order = first[: len(cut.area)]
    ordered = order[cut.labels]
    boxes = _boxes(cut, tree)
    for node in np.flatnonzero(wanted).tolist():
        x0, y0, x1, y1 = boxes[node].tolist()
        part = ordered[y0:y1, x0:x1]
        yield node, Region(x0, y0, (part >= first[node]) & (part <= last[node]))


def _leaf_ranges(tree: MergeTree, leaves: int) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """First and last place of each node's superpixels, in an order in which every node's stand in a row."""
    size = np.ones(leaves + len(tree.children), np.int32)
    for node, (one, other) in enumerate(tree.children.tolist(), leaves):
        size[node] = size[one] + size[other]
    first = np.zeros(len(size), np.int32)
    roots = np.setdiff1d(np.arange(len(size)), tree.children)
    first[roots] = np.cumsum(size[roots]) - size[roots]
    for node, (one, other) in reversed(list(enumerate(tree.children.tolist(), leaves))):
        first[one], first[other] = first[node], first[node] + size[one]
    return first, first + size - 1


def _boxes(cut: Superpixels, tree: MergeTree) -> npt.NDArray[np.int64]:
    """Bounding box of each node [N, 4], x0 y0 x1 y1, upper edges exclusive."""
    leaves = len(cut.area)
    boxes = np.zeros((leaves + len(tree.children), 4), np.int64)
    ys, xs = np.indices(cut.labels.shape, dtype=np.int32)
    flat = cut.labels.ravel()
    boxes[:, :2] = max(cut.labels.shape)
    for column, values in enumerate((xs, ys)):
        np.minimum.at(boxes[:, column], flat, values.ravel())
        np.maximum.at(boxes[:, column + 2], flat, values.ravel() + 1)
    for node, (one, other) in enumerate(tree.children.tolist(), leaves):
        boxes[node, :2] = np.minimum(boxes[one, :2], boxes[other, :2])
        boxes[node, 2:] = np.maximum(boxes[one, 2:], boxes[other, 2:])
    return boxes
