"""The matching of the AutoRefiner document: six greedy stages, kept so that results can be compared with it.

Deterministic, unlike the original (its boundary samples are spread evenly instead of drawn), and a mask left over is
given to one id only.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np

from core.masks import Mask
from core.masks.contingency import Contingency, Labels
from core.masks.region import Region
from core.refining.matching import Match, Union, match_of

_TOUCHING_PX = 5.0
_MOST_SAMPLES = 100
_LONGEST_RUN = 4


@dataclass(eq=False)
class _State:
    masks: Sequence[Region]
    labels: Labels
    overlaps: Contingency
    least_iou: float
    free: list[int]
    found: dict[int, Union] = field(default_factory=dict)
    low: set[int] = field(default_factory=set)

    def unmatched(self) -> list[int]:
        return [number for number in range(len(self.labels.ids)) if number not in self.found]

    def union(self, number: int, positions: Sequence[int]) -> Union:
        union = Union(self.labels, number)
        for position in positions:
            union.add(position, self.masks[position])
        return union

    def take(self, number: int, union: Union) -> None:
        self.found[number] = union
        self.free = [position for position in self.free if position not in union.masks]


def match_documented(masks: Sequence[Region], labels: Labels, overlaps: Contingency, least_iou: float) -> list[Match]:
    """High IoU, good coverage, weak singles, merged runs, growing, and the original where nothing fits."""
    state = _State(masks, labels, overlaps, least_iou, list(range(len(masks))))
    _high_iou(state)
    _good_coverage(state)
    _weak_single(state)
    _merged_runs(state)
    for number, union in sorted(state.found.items()):
        _grow(state, number, union)
    return [
        match_of(one, state.found.get(number), number in state.low) for number, one in enumerate(labels.ids.tolist())
    ]


def _high_iou(state: _State) -> None:
    iou = state.overlaps.iou
    pairs = np.argwhere(iou >= max(state.least_iou, 1e-9))
    for position, number in pairs[np.argsort(-iou[tuple(pairs.T)], kind="stable")].tolist():
        if position in state.free and number not in state.found:
            state.take(number, state.union(number, [position]))


def _good_coverage(state: _State) -> None:
    iou, coverage = state.overlaps.iou, state.overlaps.coverage
    least = max(0.1, 0.3 * state.least_iou)
    for number in state.unmatched():
        fit = [p for p in state.free if iou[p, number] >= least and coverage[p, number] >= 0.3]
        if fit:
            best = max(fit, key=lambda p: 0.6 * iou[p, number] + 0.4 * coverage[p, number])
            state.take(number, state.union(number, [best]))
            state.low.add(number)


def _weak_single(state: _State) -> None:
    iou, coverage = state.overlaps.iou, state.overlaps.coverage
    for number in state.unmatched():
        fit = [p for p in state.free if iou[p, number] > 0.05]
        best = max(fit, key=lambda p: float(coverage[p, number]), default=None)
        if best is not None and coverage[best, number] >= 0.2:
            state.take(number, state.union(number, [best]))
            state.low.add(number)


def _merged_runs(state: _State) -> None:
    """Walls in pieces: the best run of two to four masks that are neighbours in the order of coverage."""
    iou, coverage = state.overlaps.iou, state.overlaps.coverage
    for number in state.unmatched():
        fit = sorted((p for p in state.free if iou[p, number] > 0.01), key=lambda p: -coverage[p, number])
        runs = [fit[i : i + n] for n in range(2, _LONGEST_RUN + 1) for i in range(len(fit) - n + 1)]
        unions = [state.union(number, run) for run in runs]
        best = max(unions, key=lambda union: union.iou, default=None)
        if best is not None and best.iou >= max(0.2, 0.5 * state.least_iou):
            state.take(number, best)


def _grow(state: _State, number: int, union: Union) -> None:
    iou = state.overlaps.iou
    fit = [p for p in state.free if iou[p, number] > 0.05]
    if not fit:
        return
    whole = np.ones(state.labels.number.shape, np.uint8)
    for position in union.masks:
        mask = state.masks[position]
        whole[mask.window][_outline(mask.mask)] = 0
    distance = cv2.distanceTransform(whole, cv2.DIST_L2, 5)
    ranked = sorted(fit, key=lambda p: -(0.7 * iou[p, number] + 0.3 * _adjacency(state.masks[p], distance)))
    for position in ranked:
        if union.gain(state.masks[position]) <= 0.01:
            break
        union.add(position, state.masks[position])
        state.free.remove(position)


def _adjacency(mask: Region, distance: "np.ndarray[tuple[int, ...], np.dtype[np.generic]]") -> float:
    """1 where the mask's boundary lies on the other's, 0 where it is 5 pixels away on average."""
    ys, xs = np.nonzero(_outline(mask.mask))
    chosen = np.unique(np.linspace(0, len(ys) - 1, min(_MOST_SAMPLES, len(ys))).astype(int))
    return max(0.0, 1 - float(distance[mask.window][ys[chosen], xs[chosen]].mean()) / _TOUCHING_PX)


def _outline(mask: Mask) -> Mask:
    """The mask's outermost pixels."""
    inner = cv2.erode(mask.view(np.uint8), np.ones((3, 3), np.uint8), borderType=cv2.BORDER_CONSTANT, borderValue=0)
    return np.asarray(mask & (inner == 0), np.bool_)
