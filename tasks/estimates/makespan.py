"""How long slots are busy with items, the longest first, each to the slot that is done with it first."""

import heapq
from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")


def makespan_s(work: Sequence[T], seconds: Callable[[T, str], float], devices: Sequence[str]) -> float:
    """Seconds until all work is done.

    Args:
        work: items, or chains of items that wait for each other.
        seconds: that one takes on a device.
        devices: of each slot.

    Source: longest processing time first (Graham 1969), on slots of uneven speed by earliest completion.
    """
    kinds = sorted(set(devices))
    free = {kind: [0.0] * devices.count(kind) for kind in kinds}  # heaps: when each slot of a kind is free
    for one in sorted(work, key=lambda one: -min(seconds(one, kind) for kind in kinds)):
        kind = min(kinds, key=lambda kind: free[kind][0] + seconds(one, kind))
        heapq.heapreplace(free[kind], free[kind][0] + seconds(one, kind))
    return max((max(ends) for ends in free.values()), default=0.0)


def chains(items: Sequence[T], after: Callable[[T], T | None]) -> list[list[T]]:
    """Items that wait for each other, together."""
    chain_of: dict[int, list[T]] = {}
    for one in items:
        before = after(one)
        chain = [] if before is None else chain_of.get(id(before), [])
        chain.append(one)
        chain_of[id(one)] = chain
    return list({id(chain): chain for chain in chain_of.values()}.values())
