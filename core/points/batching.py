"""Points split into batches: exact partitions, never above the limit, as indices into the whole set.

temporal: points of a frame stay together while they fit, in order of time. A frame with more points than fit is dealt
out, neighbours to different batches, so that each batch sees the whole object, not a strip of it.
spatial: neighbours in space stay together.
random: drawn with a seed.
"""

import numpy as np
import numpy.typing as npt

from core.errors import RefusedInput
from core.points.settings import Strategy

Indices = npt.NDArray[np.int64]
Points = npt.NDArray[np.floating]
_TOGETHER = 16


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
    count = -(-len(points) // limit)
    if strategy == "spatial":
        return _regions(everything, points[:, 1:], count)
    return np.array_split(np.random.default_rng(seed).permutation(everything), count)


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
    along = np.concatenate(_regions(frame, points[:, 1:], -(-len(frame) // _TOGETHER)))
    return [np.sort(along[hand::hands]) for hand in range(hands)]


def _regions(everything: Indices, xyz: Points, count: int) -> list[Indices]:
    """Points cut into so many compact regions of equal size: halved across the longest side, again and again."""
    if count == 1 or len(everything) < 2:
        return [everything]
    own = xyz[everything]
    order = everything[np.argsort(own[:, np.ptp(own, axis=0).argmax()], kind="stable")]
    first = count // 2
    cut = len(order) * first // count
    return _regions(order[:cut], xyz, first) + _regions(order[cut:], xyz, count - first)


def support_indices(points: Points, count: int) -> Indices:
    """Points [N, 4] spread over the whole set, the same for every batch: each the farthest from those before it.

    As many as there are different places, at most.
    Farthest point sampling (T. F. Gonzalez 1985), from the point nearest to the middle.
    """
    xyz = points[:, 1:].astype(np.float64)
    chosen = np.empty(min(count, len(xyz)), np.int64)
    away = -((xyz - xyz.mean(0)) ** 2).sum(1)
    for number in range(len(chosen)):
        chosen[number] = int(np.argmax(away))
        if number and away[chosen[number]] == 0:  # all others lie where one is already
            return chosen[:number]
        nearer = ((xyz - xyz[chosen[number]]) ** 2).sum(1)
        away = nearer if number == 0 else np.minimum(away, nearer)
    return chosen
