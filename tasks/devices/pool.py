"""A run's device slots: leases one to each item, and runs the item in that slot's worker process."""

import heapq
import itertools
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self

from core.errors import MaskflowError
from tasks.devices.limits import DeviceLimits
from tasks.devices.lock import SlotLock, try_lock
from tasks.devices.process import OnProgress, WorkerDied, WorkerProcess
from tasks.devices.slots import Slot, cpu_cores

_POLL_S = 0.05
_LIMIT_POLL_S = 0.5


class SlotsClosed(MaskflowError):
    """The run is being cancelled: no slot is given out any more."""


@dataclass(frozen=True)
class _Lease:
    slot: Slot
    lock: SlotLock
    limit_lease: str


class DeviceSlots:
    """Use as a context manager around everything that runs items; leaving it ends the workers.

    Args:
        slots: which devices, how often.
        on_progress: told item key, frames done and frames expected, from a thread.
    """

    def __init__(self, slots: Sequence[Slot], on_progress: OnProgress) -> None:
        self.slots = list(slots)
        self._free = list(slots)
        self._changed = threading.Lock()
        self._closed = threading.Event()
        self._on_progress = on_progress
        self._workers: dict[Slot, WorkerProcess] = {}
        self._threads = max(1, cpu_cores() // len(self.slots))
        self._limits = DeviceLimits(self.slots)
        self._waiting: list[tuple[float, int]] = []
        self._tickets = itertools.count()

    @property
    def closed(self) -> bool:
        """Whether slots are still given out."""
        return self._closed.is_set()

    def run_item(self, cost: float, started: Callable[[Slot], None], *arguments: Any) -> dict[str, Any]:
        """Wait for a slot, run `worker.make_item(*arguments)` in its worker, give the slot back.

        Args:
            cost: of those that wait, the costliest goes first.
            started: called with the slot once it is held.
            arguments: of `worker.make_item`.

        Raises:
            WorkerDied: the worker ended in mid-item; the next item in this slot gets a fresh one.
            SlotsClosed: the run is being cancelled.
        """
        with self._leased(cost) as slot:
            started(slot)
            worker = self._worker(slot)
            try:
                return worker.make_item(*arguments)
            except WorkerDied:
                with self._changed:
                    self._workers.pop(slot, None)
                if self.closed:
                    raise SlotsClosed("the run was cancelled") from None
                raise

    @contextmanager
    def _leased(self, cost: float) -> Iterator[Slot]:
        lease = self._acquire(cost)
        try:
            yield lease.slot
        finally:
            if lease.limit_lease:
                self._limits.release(lease.limit_lease)
            lease.lock.remember_lease(None)
            lease.lock.release()
            with self._changed:
                self._free.append(lease.slot)

    def _acquire(self, cost: float) -> _Lease:
        ticket = (-cost, next(self._tickets))
        with self._changed:
            heapq.heappush(self._waiting, ticket)
        try:
            while not self.closed:
                with self._changed:
                    # A slot whose worker is up is quicker than one that has to start one.
                    free = sorted(self._free, key=lambda slot: (slot not in self._workers, slot))
                    mine = self._waiting[0] == ticket
                for slot in free if mine else ():
                    lease = self._try(slot)
                    if lease is not None:
                        return lease
                self._closed.wait(_POLL_S)
            raise SlotsClosed("the run was cancelled")
        finally:
            with self._changed:
                self._waiting.remove(ticket)
                heapq.heapify(self._waiting)

    def _try(self, slot: Slot) -> _Lease | None:
        with self._changed:
            if slot not in self._free:
                return None
            lock = try_lock(slot.name)
            if lock is None:
                return None
            self._free.remove(slot)
        left = lock.left_lease()
        if left is not None:
            self._limits.release(left)
        limit_lease = self._limits.acquire(slot.limit)
        if limit_lease is None:
            lock.remember_lease(None)
            lock.release()
            with self._changed:
                self._free.append(slot)
            self._closed.wait(_LIMIT_POLL_S)
            return None
        lock.remember_lease(limit_lease or None)
        return _Lease(slot, lock, limit_lease)

    def _worker(self, slot: Slot) -> WorkerProcess:
        with self._changed:
            worker = self._workers.get(slot)
        if worker is None:
            worker = WorkerProcess(slot, self._threads, self._on_progress)
            with self._changed:
                self._workers[slot] = worker
        if self.closed:
            worker.kill()
            raise SlotsClosed("the run was cancelled")
        return worker

    def close(self) -> None:
        """End the workers and give out no slot any more; may be called from any thread, more than once."""
        self._closed.set()
        with self._changed:
            workers = list(self._workers.values())
            self._workers.clear()
        for worker in workers:
            worker.kill()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
        self._limits.close()
