"""As many points at once as memory allows, for trackers whose points look at each other."""

import math
from collections.abc import Callable, Sequence

import numpy as np

from core.geometry.sim3 import Array
from core.models.backoff import in_batches, is_out_of_memory
from core.models.roles import PointTracks


class Parts:
    """Tracks points together with their support; where memory runs out, in halves.

    How a batch is cut depends on the batch and the memory alone, not on what was tracked before: what is remembered is
    only which sizes need not be tried again.
    """

    def __init__(self) -> None:
        self._too_many = math.inf

    def track(self, queries: Array, support: Array, work: Callable[[Array], PointTracks]) -> PointTracks:
        """Tracks of `queries` [N, 4], each part tracked with the whole `support` [M, 4].

        A point's own frame is not left to the tracker: there it was seen, where it is.

        Args:
            queries: see `PointTracker.track`.
            support: likewise.
            work: tracks points [K, 4] at once; raises `torch.OutOfMemoryError` where there are too many.
        """
        sizes: list[int] = []

        def part(chosen: Sequence[int]) -> list[PointTracks]:
            points = np.concatenate([queries[np.array(chosen)], support])
            try:
                tracks = work(points)
            except RuntimeError as error:
                if is_out_of_memory(error):
                    self._too_many = min(self._too_many, len(chosen))
                raise
            own, everyone = points[:, 0].astype(np.int64), np.arange(len(points))
            tracks.xyz[own, everyone], tracks.visible[own, everyone] = points[:, 1:], True
            sizes.append(len(chosen))
            return [tracks]

        most = len(queries)
        while most >= self._too_many and most > 1:
            most = (most + 1) // 2
        parts = list(in_batches(range(len(queries)), most, part))
        notes = (
            (f"GPU memory: tracked in {len(sizes)} parts of at most {max(sizes):,} points",) if len(sizes) > 1 else ()
        )
        kept = [slice(0, size) for size in sizes]
        return PointTracks(
            np.concatenate([one.xyz[:, own] for one, own in zip(parts, kept, strict=True)], axis=1),
            np.concatenate([one.visible[:, own] for one, own in zip(parts, kept, strict=True)], axis=1),
            np.concatenate([one.valid[:, own] for one, own in zip(parts, kept, strict=True)], axis=1),
            parts[0].xyz[:, sizes[0] :],
            notes,
        )
