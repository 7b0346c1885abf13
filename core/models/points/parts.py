"""As many points at once as memory allows, for trackers whose points look at each other."""

from collections.abc import Callable, Sequence

import numpy as np

from core.geometry.sim3 import Array
from core.models.backoff import in_batches
from core.models.roles import PointTracks


class Parts:
    """Tracks points together with their support; where memory runs out, in halves, and from then on in such parts."""

    def __init__(self) -> None:
        self._most: int | None = None

    def track(self, queries: Array, support: Array, work: Callable[[Array], PointTracks]) -> PointTracks:
        """Tracks of `queries` [N, 4], each part tracked with the whole `support` [M, 4].

        Args:
            queries: see `PointTracker.track`.
            support: likewise.
            work: tracks points [K, 4] at once; raises `torch.OutOfMemoryError` where there are too many.
        """
        sizes: list[int] = []

        def part(chosen: Sequence[int]) -> list[PointTracks]:
            points = np.concatenate([queries[np.array(chosen)], support])
            tracks = work(points)
            own, everyone = points[:, 0].astype(np.int64), np.arange(len(points))
            tracks.xyz[own, everyone], tracks.visible[own, everyone] = points[:, 1:], True  # there they were seen
            sizes.append(len(chosen))
            return [tracks]

        most = min(len(queries), self._most or len(queries))
        parts = list(in_batches(range(len(queries)), most, part))
        notes: tuple[str, ...] = ()
        if max(sizes) < len(queries):
            self._most = max(sizes)
            notes = (f"GPU memory: tracked in {len(sizes)} parts of at most {self._most:,} points",)
        own = [slice(0, size) for size in sizes]
        return PointTracks(
            np.concatenate([one.xyz[:, kept] for one, kept in zip(parts, own, strict=True)], axis=1),
            np.concatenate([one.visible[:, kept] for one, kept in zip(parts, own, strict=True)], axis=1),
            np.concatenate([one.valid[:, kept] for one, kept in zip(parts, own, strict=True)], axis=1),
            parts[0].xyz[:, sizes[0] :],
            notes,
        )
