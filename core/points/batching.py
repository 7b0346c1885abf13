"""Points split into batches: exact partitions, never above the limit, as indices into the whole set.

temporal: points of a frame stay together while they fit, in order of time. A frame with more points than fit is dealt
out evenly along a curve through space, so that each batch sees the whole object, not a strip of it.
spatial: neighbours in space stay together.
random: drawn with a seed.
"""

import numpy as np
import numpy.typing as npt

from core.errors import RefusedInput
from core.points.settings import Strategy

Indices = npt.NDArray[np.int64]
Points = npt.NDArray[np.floating]


def split_indices(points: Points, limit: int | None, strategy: Strategy = "temporal", seed: int = 0) -> list[Indices]:
    """Batches of indices into `points` [N, 4] (frame, x, y, z): each of 1 to `limit`, each index in exactly one.

    Raises:
        RefusedInput: a limit under 1, or a strategy that is not known.
    """
    if limit is not None and limit < 1:
        raise RefusedInput.of("max_points_per_batch", limit, "1 or more")
    if strategy not in ("temporal", "spatial", "random"):
        raise RefusedInput.of("batch_strategy", strategy, "temporal, spatial or random")
    everything = np.arange(len(points))
    if limit is None or len(points) <= limit:
        return [everything] if len(points) else []
    if strategy == "temporal":
        return _temporal(points, limit)
    order = np.random.default_rng(seed).permutation(everything) if strategy == "random" else space_order(points[:, 1:])
    return np.array_split(order, -(-len(points) // limit))


def _temporal(points: Points, limit: int) -> list[Indices]:
    batches: list[Indices] = []
    open_batch: list[Indices] = []
    room = limit
    order = np.argsort(points[:, 0], kind="stable")
    starts = np.flatnonzero(np.diff(points[order, 0])) + 1
    for frame in np.split(order, starts):
        if len(frame) > room and open_batch:
            batches.append(np.concatenate(open_batch))
            open_batch, room = [], limit
        if len(frame) > limit:
            batches += _dealt(frame, points, limit)
        else:
            open_batch.append(frame)
            room -= len(frame)
    return batches + ([np.concatenate(open_batch)] if open_batch else [])


def _dealt(frame: Indices, points: Points, limit: int) -> list[Indices]:
    hands = -(-len(frame) // limit)
    along = frame[space_order(points[frame, 1:])]
    return [np.sort(along[hand::hands]) for hand in range(hands)]


def space_order(xyz: Points) -> Indices:
    """Order of points [N, 3] along a Morton curve: near in order is near in space.

    G. M. Morton, "A computer oriented geodetic data base", IBM 1966: the bits of the coordinates, interleaved.
    """
    low = xyz.min(0)
    span = float((xyz.max(0) - low).max()) or 1.0
    cells = ((xyz - low) / span * (2**20 - 1)).astype(np.uint64)
    code = np.zeros(len(xyz), np.uint64)
    for axis in range(3):
        code |= _spread(cells[:, axis]) << np.uint64(axis)
    return np.argsort(code, kind="stable")


def _spread(bits: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Two zeros between each two of 21 bits."""
    for shift, mask in (
        (32, 0x1F00000000FFFF), (16, 0x1F0000FF0000FF), (8, 0x100F00F00F00F00F), (4, 0x10C30C30C30C30C3),
        (2, 0x1249249249249249),
    ):  # fmt: skip
        bits = (bits | (bits << np.uint64(shift))) & np.uint64(mask)
    return bits


def support_indices(points: Points, count: int) -> Indices:
    """Points [N, 4] spread over the whole set, the same for every batch: each the farthest from those before it.

    Farthest point sampling (T. F. Gonzalez 1985), from the point nearest to the middle.
    """
    xyz = points[:, 1:].astype(np.float64)
    chosen = np.empty(min(count, len(xyz)), np.int64)
    away = -((xyz - xyz.mean(0)) ** 2).sum(1)
    for number in range(len(chosen)):
        chosen[number] = int(np.argmax(away))
        nearer = ((xyz - xyz[chosen[number]]) ** 2).sum(1)
        away = nearer if number == 0 else np.minimum(away, nearer)
    return chosen
