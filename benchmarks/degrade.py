"""Id maps spoilt on purpose, the way rasterised ones are: to see what refining them gives back."""

from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt

from core.formats.id_maps import IdMap

_GRAIN = 4.0  # ragged borders wander over this many times the pixels they are off


def ragged(id_map: IdMap, off_px: float, random: np.random.Generator) -> IdMap:
    """Borders that wander: every pixel takes its id from a place about `off_px` away, alike for neighbours."""
    height, width = id_map.shape
    wander = [cv2.GaussianBlur(random.standard_normal((height, width)), (0, 0), off_px / _GRAIN * 2) for _ in "xy"]
    ys, xs = np.indices(id_map.shape)
    dx, dy = (np.round(one / one.std() * off_px / 2).astype(int) for one in wander)
    moved = id_map[np.clip(ys + dy, 0, height - 1), np.clip(xs + dx, 0, width - 1)]
    return _unless_gone(id_map, np.asarray(moved, np.int64))


def holes(id_map: IdMap, off_px: float, random: np.random.Generator) -> IdMap:
    """Two discs without an id in every object, of a tenth of its size across, at most `2 off_px`."""
    result = id_map.copy()
    for one in _objects(id_map):
        ys, xs = np.nonzero(id_map == one)
        radius = int(max(1.0, min(off_px, 0.05 * len(ys) ** 0.5)))
        for place in random.integers(len(ys), size=2).tolist():
            disc = np.zeros(id_map.shape, np.uint8)
            cv2.circle(disc, (int(xs[place]), int(ys[place])), radius, 1, -1)
            result[(disc > 0) & (id_map == one)] = 0
    return _unless_gone(id_map, result)


def splits(id_map: IdMap, off_px: float, random: np.random.Generator) -> IdMap:
    """Every object cut in two by a strip without an id, 4 % of its width, at most `off_px`."""
    result = id_map.copy()
    for one in _objects(id_map):
        ys, xs = np.nonzero(id_map == one)
        strip = int(max(1.0, min(off_px, 0.04 * np.ptp(xs))))
        start = int(xs[random.integers(len(xs))])
        cut = (xs >= start) & (xs < start + strip)
        result[ys[cut], xs[cut]] = 0
    return _unless_gone(id_map, result)


def shifts(id_map: IdMap, off_px: float, random: np.random.Generator) -> IdMap:
    """Every object moved by half of `off_px` in a direction of its own, over the others, in the order of the ids."""
    result = id_map.copy()
    for one in _objects(id_map):
        angle = random.uniform(0, 2 * np.pi)
        move = round(off_px / 2 * np.sin(angle)), round(off_px / 2 * np.cos(angle))
        ys, xs = np.nonzero(id_map == one)
        ys, xs = ys + move[0], xs + move[1]
        inside = (ys >= 0) & (ys < id_map.shape[0]) & (xs >= 0) & (xs < id_map.shape[1])
        result[ys[inside], xs[inside]] = one
    return _unless_gone(id_map, result)


def everything(id_map: IdMap, off_px: float, random: np.random.Generator) -> IdMap:
    """Shifts, ragged borders, holes and splits, one after another."""
    for spoil in (shifts, ragged, holes, splits):
        id_map = spoil(id_map, off_px, random)
    return id_map


Spoil = Callable[[IdMap, float, np.random.Generator], IdMap]
KINDS: dict[str, Spoil] = {
    "ragged borders": ragged, "holes": holes, "splits": splits, "shifts": shifts, "everything": everything,
}  # fmt: skip


def _objects(id_map: IdMap) -> npt.NDArray[np.int64]:
    found = np.unique(id_map)
    return np.asarray(found[found > 0], np.int64)


def _unless_gone(before: IdMap, after: IdMap) -> IdMap:
    """Objects of which nothing would be left stay as they were."""
    gone = np.setdiff1d(_objects(before), _objects(after))
    lost = np.isin(before, gone)
    after[lost] = before[lost]
    return after
