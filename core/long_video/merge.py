"""Several windows' and directions' rows, merged into one sequence of frames."""

import heapq
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from core.formats.window_shard import ShardObject, ShardRow, read_rows
from core.long_video.plan import Direction


class Shard(BaseModel):
    """Where one item's rows are, which segment, window and direction they belong to, and its first frame."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    folder: Path
    segment: int
    window: int
    direction: Direction
    first: int

    def rows(self) -> Iterator[ShardRow]:
        """Its rows, ascending."""
        return read_rows(self.folder, self.direction == "backward")


@dataclass(frozen=True)
class Sighting:
    """An object on a frame as one shard has it."""

    found: ShardObject
    shard: Shard
    distance_s: float


Identity = tuple[int, int]
"""Segment and object number; the segment is -1 where numbers hold for the whole video."""


def merged_rows(shards: Sequence[Shard]) -> Iterator[tuple[int, float, list[tuple[Shard, ShardRow]]]]:
    """Frame, time and the rows about it, ascending. A shard is opened when its first frame comes: few at a time."""
    waiting = sorted(shards, key=lambda shard: shard.first, reverse=True)
    opened: list[tuple[int, int, Shard, ShardRow, Iterator[ShardRow]]] = []
    serial = 0

    def push(shard: Shard, rows: Iterator[ShardRow]) -> None:
        nonlocal serial
        row = next(rows, None)
        if row is not None:
            serial += 1
            heapq.heappush(opened, (row.frame, serial, shard, row, rows))

    while waiting or opened:
        while waiting and (not opened or waiting[-1].first <= opened[0][0]):
            shard = waiting.pop()
            push(shard, shard.rows())
        if not opened:
            continue
        frame, together, time_s = opened[0][0], [], opened[0][3].time_s
        while opened and opened[0][0] == frame:
            _, _, shard, row, rows = heapq.heappop(opened)
            together.append((shard, row))
            push(shard, rows)
        yield frame, time_s, together


def best_sightings(
    rows: Iterable[tuple[Shard, ShardRow]], identify: Callable[[Shard, ShardObject], Identity | None]
) -> dict[Identity, Sighting]:
    """Of each object on one frame the sighting whose annotation or detection is nearest in time.

    Args:
        rows: about one frame.
        identify: which object it is; None: none, after all.
    """
    best: dict[Identity, Sighting] = {}
    for shard, row in sorted(rows, key=lambda pair: (pair[0].direction == "backward", pair[0].window)):
        for found in row.objects:
            identity = identify(shard, found)
            if identity is None:
                continue
            sighting = Sighting(found, shard, abs(row.time_s - found.since_s))
            if identity not in best or sighting.distance_s < best[identity].distance_s:
                best[identity] = sighting
    return best
