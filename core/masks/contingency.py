"""How masks and the ids of an instance-id map overlap, all pairs in one pass."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from core.masks.region import Region

Counts = npt.NDArray[np.int64]
Ratios = npt.NDArray[np.float64]
_LARGEST_TABLE = 2**22  # ids within this many of each other are looked up in a table, else sorted


@dataclass(frozen=True, eq=False)
class Labels:
    """An id map with its ids numbered from 0.

    Attributes:
        ids: int64 [G], ascending: the objects' ids.
        number: intp [H, W]: position of each pixel's id in `ids`; `len(ids)` for background.
        area: int64 [G]: pixels of each id.
    """

    ids: Counts
    number: npt.NDArray[np.intp]
    area: Counts


def label(id_map: npt.NDArray[np.integer], background: Collection[int] | None = None) -> Labels:
    """Number the ids of a map [H, W].

    Args:
        id_map: any integers.
        background: ids that are no objects; None: all from 0 down.
    """
    lowest = int(id_map.min(initial=0))
    if int(id_map.max(initial=0)) - lowest < _LARGEST_TABLE:
        offset = id_map.astype(np.intp) - lowest
        present = np.flatnonzero(np.bincount(offset.ravel()))
        found = present + lowest
    else:
        found, offset = np.unique(id_map, return_inverse=True)
        offset, present = offset.reshape(id_map.shape), np.arange(len(found))
    objects = found > 0 if background is None else ~np.isin(found, list(background))
    ids = found[objects].astype(np.int64)
    table = np.full(int(present[-1]) + 1 if len(present) else 1, len(ids), np.intp)
    table[present[objects]] = np.arange(len(ids))
    number = table[offset]
    return Labels(ids, number, np.bincount(number.ravel(), minlength=len(ids) + 1)[: len(ids)])


@dataclass(frozen=True, eq=False)
class Contingency:
    """Overlaps of S masks with the G ids of a map.

    Attributes:
        intersection: int64 [S, G], pixels in common.
        mask_area: int64 [S], pixels of each mask.
        id_area: int64 [G], pixels of each id.
    """

    intersection: Counts
    mask_area: Counts
    id_area: Counts

    @property
    def iou(self) -> Ratios:
        """Intersection over union [S, G]."""
        union = self.mask_area[:, None] + self.id_area - self.intersection
        return np.asarray(self.intersection / np.maximum(union, 1), np.float64)

    @property
    def coverage(self) -> Ratios:
        """Share of the id that the mask covers [S, G]."""
        return np.asarray(self.intersection / np.maximum(self.id_area, 1), np.float64)

    @property
    def purity(self) -> Ratios:
        """Share of the mask's pixels with an id that have this one [S, G]; 0 where it is not half of the whole mask.

        Pixels without an id do not count against a mask: they are what it may fill in.
        """
        share = self.intersection / np.maximum(self.intersection.sum(axis=1, keepdims=True), 1)
        return np.where(2 * self.intersection >= self.mask_area[:, None], share, 0.0)


def contingency(masks: Sequence[Region], labels: Labels) -> Contingency:
    """Count the pixels of every id under every mask: one histogram a mask, of its own pixels only."""
    count = len(labels.ids)
    table = np.zeros((len(masks), count), np.int64)
    for row, mask in enumerate(masks):
        table[row] = np.bincount(labels.number[mask.window][mask.mask], minlength=count + 1)[:count]
    return Contingency(table, np.array([mask.area for mask in masks], np.int64), labels.area)
