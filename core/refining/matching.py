"""Which masks make up which id: the best one to one, then pieces added while they help."""

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from core.masks.assignment import assign
from core.masks.contingency import Contingency, Counts, Labels
from core.masks.region import Region

_PURE = 0.8  # a mask stands for an id only where it is this pure …
_GOOD = 0.7  # … or its IoU with the id is this
_LEAST_GAIN = 1e-4  # in IoU


@dataclass(frozen=True)
class Match:
    """What was found for one id.

    Attributes:
        id: as in the map.
        masks: positions of the masks whose union stands for it; empty: none fits, the original is kept.
        iou: of the union with the id's pixels in the map; 0 where there are no masks.
        coverage: share of the id's pixels under the union; 1 where the original is kept, as documented.
        low_confidence: found by a weaker rule than IoU (the documented matching only).
    """

    id: int
    masks: tuple[int, ...]
    iou: float
    coverage: float
    low_confidence: bool = False

    @property
    def merged(self) -> bool:
        """Made of several masks."""
        return len(self.masks) > 1


Matcher = Callable[[Sequence[Region], Labels, Contingency, float], list[Match]]
"""Masks, ids, their overlaps, the least IoU that counts as a match; a match for every id, in the ids' order."""


class Union:
    """A growing union of masks, and how well it fits one id."""

    def __init__(self, labels: Labels, number: int) -> None:
        self._labels, self._number = labels, number
        self._pixels = np.zeros(labels.number.shape, np.bool_)
        self._common = self._area = 0
        self.masks: list[int] = []

    def with_mask(self, mask: Region) -> tuple[int, int]:
        """Pixels in common with the id, and pixels in all, if the mask were added."""
        new = mask.mask & ~self._pixels[mask.window]
        common = np.count_nonzero(new & (self._labels.number[mask.window] == self._number))
        return self._common + int(common), self._area + int(np.count_nonzero(new))

    def gain(self, mask: Region) -> float:
        """By how much the IoU would grow."""
        return self._iou(*self.with_mask(mask)) - self.iou

    def add(self, position: int, mask: Region) -> None:
        """Add the mask at `position`."""
        self._common, self._area = self.with_mask(mask)
        self._pixels[mask.window] |= mask.mask
        self.masks.append(position)

    @property
    def iou(self) -> float:
        """Of the union with the id."""
        return self._iou(self._common, self._area)

    @property
    def coverage(self) -> float:
        """Share of the id that the union covers."""
        return self._common / int(self._labels.area[self._number])

    def _iou(self, common: int, area: int) -> float:
        return common / (area + int(self._labels.area[self._number]) - common)


def match_optimal(masks: Sequence[Region], labels: Labels, overlaps: Contingency, least_iou: float) -> list[Match]:
    """The assignment of masks to ids with the largest total IoU, then for each id the pieces that raise its IoU most.

    Masks that straddle several ids are left out: of its pixels that have an id, 80 % must have this one, or it must
    fit with an IoU of 0.7. So no two ids want the same mask. Ids whose union comes to less than `least_iou` keep their
    original pixels. Deterministic.
    """
    pure = overlaps.purity >= _PURE
    good = np.where(pure | (overlaps.iou >= _GOOD), overlaps.iou, 0.0)
    chosen = {number: position for position, number in assign(good, least_iou)}
    matches = []
    for number, one in enumerate(labels.ids.tolist()):
        union = Union(labels, number)
        if number in chosen:
            union.add(chosen[number], masks[chosen[number]])
        pieces = np.flatnonzero(pure[:, number] & (overlaps.intersection[:, number] > 0))
        _grow(union, masks, pieces)
        matches.append(match_of(one, union if union.iou >= least_iou else None))
    return matches


def match_of(one: int, union: Union | None, low_confidence: bool = False) -> Match:
    """What an id comes to: the union found for it, or the original kept."""
    if union is None or not union.masks:
        return Match(one, (), 0.0, 1.0)
    return Match(one, tuple(union.masks), union.iou, union.coverage, low_confidence)


def _grow(union: Union, masks: Sequence[Region], pieces: Counts) -> None:
    """Add the piece that gains most, again and again. Gains shrink as the union grows: old ones are upper bounds."""
    waiting = [(-union.gain(masks[piece]), piece) for piece in pieces.tolist()]
    heapq.heapify(waiting)
    while waiting:
        _, piece = heapq.heappop(waiting)
        gain = union.gain(masks[piece])
        if gain <= _LEAST_GAIN:
            continue
        if waiting and gain < -waiting[0][0]:
            heapq.heappush(waiting, (-gain, piece))
            continue
        union.add(piece, masks[piece])
