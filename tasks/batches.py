"""Which items go together into one task: long ones alone, short ones until they make about ten seconds of work."""

import heapq
from collections.abc import Iterable
from dataclasses import dataclass, field

from tasks.items import Order
from tasks.making import BATCH_S

_MOST_ITEMS = 100
_LEAST_S = 0.25  # a task costs some hundredths of a second
_BATCHES_EACH = 4  # at least so many are left for each slot, so that none is idle while another has many items to go


@dataclass
class ReadyItems:
    """Items that can be made now, the longest first."""

    _heap: list[tuple[float, int, Order]] = field(default_factory=list)
    _count: int = 0
    _seconds: float = 0.0

    def __len__(self) -> int:
        return len(self._heap)

    def add(self, orders: Iterable[Order]) -> None:
        """More of them."""
        for order in orders:
            self._count += 1
            self._seconds += order.expected_s
            heapq.heappush(self._heap, (-order.expected_s, self._count, order))

    def take(self, slots: int) -> list[Order]:
        """The next task's: the longest that is left, with as many of the next longest as are short enough."""
        most_s = min(BATCH_S, max(_LEAST_S, self._seconds / (slots * _BATCHES_EACH)))
        most = min(_MOST_ITEMS, -(-len(self._heap) // slots))
        taken: list[Order] = []
        taken_s = 0.0
        while self._heap and (not taken or (len(taken) < most and taken_s - self._heap[0][0] <= most_s)):
            _, _, order = heapq.heappop(self._heap)
            taken.append(order)
            taken_s += order.expected_s
        self._seconds -= taken_s
        return taken

    def clear(self) -> list[Order]:
        """All that are left, which are not ready any more."""
        left = [order for _, _, order in self._heap]
        self._heap.clear()
        self._seconds = 0.0
        return left
