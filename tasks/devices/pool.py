"""A run's device slots: leases one to each item, and runs the item in that slot's worker process."""

import heapq
import itertools
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Protocol, Self

from prefect.logging import get_logger

from core.errors import MaskflowError
from tasks.devices.limits import DeviceLimits
from tasks.devices.lock import SlotLock, try_lock
from tasks.devices.pacing import Pacing
from tasks.devices.process import OnProgress, WorkerDied, WorkerProcess
from tasks.devices.slots import Slot, cpu_cores
from tasks.devices.timeouts import TimedOut, Timeouts
from tasks.devices.worker import ItemCrashed

_POLL_S = 0.05  # for locks that other processes hold; inside this one, waiting items are woken
_LIMIT_POLL_S = 0.5
# A slot goes from one short item to the next without being given back in between, for so long at most: then other
# runs get their turn. Asking Prefect for a lease costs milliseconds on an idle server and a second on a busy one.
_KEEP_S = 5.0
_log = get_logger("maskflow.devices")


class SlotsClosed(MaskflowError):
    """The run is being cancelled: no slot is given out any more."""


class Limits(Protocol):
    """Leases on devices' limits, see `DeviceLimits`."""

    def acquire(self, limit: str) -> str | None:
        """A lease's id, `""` where none is needed, None where there is none to be had now."""
        ...

    def release(self, lease: str) -> bool:
        """Return a lease; whether it could be returned."""
        ...

    def close(self) -> None:
        """Return every lease still held."""
        ...


@dataclass(frozen=True)
class _Lease:
    slot: Slot
    lock: SlotLock
    limit_lease: str
    since_s: float


@dataclass(frozen=True, eq=False)
class HeldSlot:
    """A slot while it is held, see `DeviceSlots.held`."""

    slots: "DeviceSlots"
    slot: Slot

    def make_item(self, *arguments: Any) -> dict[str, Any]:
        """Run `worker.make_item(*arguments)` in the slot's worker.

        Raises:
            WorkerDied: the worker ended in mid-item; the next item in this slot gets a fresh one.
            TimedOut: the item took too long; likewise.
            ItemCrashed: it raised what it should not; likewise.
            SlotsClosed: the run is being cancelled.
        """
        return self.slots.make_item(self.slot, *arguments)

    def learn(self, expected_s: float, took_s: float) -> None:
        """An item was made: what it took says how fast the device is."""
        self.slots.learn(self.slot, expected_s, took_s)


def threads_each(slots: int, items: int | None) -> int:
    """Threads for each worker: this host's cores, shared by as many workers as can be busy at once."""
    at_once = min(slots, max(1, items or slots))
    return max(1, cpu_cores() // at_once)


class DeviceSlots:
    """Use as a context manager around everything that runs items; leaving it ends the workers.

    Args:
        slots: which devices, how often.
        on_progress: gets item key, frames done, frames expected and memory used, from a thread.
        items: how many there are, where known: fewer items than slots share all cores.
        timeouts: how long an item may take.
        limits: the devices' limits on the Prefect server; those of the configured one when left out.
    """

    def __init__(
        self,
        slots: Sequence[Slot],
        on_progress: OnProgress,
        items: int | None = None,
        timeouts: Timeouts | None = None,
        limits: Limits | None = None,
    ) -> None:
        self.slots = list(slots)
        self._free = set(slots)
        self._kept: list[_Lease] = []
        self._changed = threading.Condition()
        self._taking = threading.Lock()
        self._closed = threading.Event()
        self._on_progress = on_progress
        self._timeouts = timeouts
        self._workers: dict[Slot, WorkerProcess] = {}
        self._threads = threads_each(len(self.slots), items)
        self._limits = limits or DeviceLimits(self.slots)
        self._refused_until_s: dict[str, float] = {}
        self._waiting: list[tuple[float, int]] = []
        self._pacing = Pacing()
        self._tickets = itertools.count()

    @property
    def closed(self) -> bool:
        """Whether slots are given out no more."""
        return self._closed.is_set()

    @contextmanager
    def held(self, cost: float) -> Iterator["HeldSlot"]:
        """Wait for a slot and hold it.

        Args:
            cost: seconds it may take; of those that wait, the longest goes first.

        Raises:
            SlotsClosed: the run is being cancelled.
        """
        lease = self._acquire(cost)
        with self._changed:
            self._pacing.began(lease.slot, cost, time.monotonic())
        try:
            yield HeldSlot(self, lease.slot)
        finally:
            with self._changed:
                self._pacing.ended(lease.slot)
            self._give_back(lease)

    def learn(self, slot: Slot, expected_s: float, took_s: float) -> None:
        """See `HeldSlot.learn`."""
        with self._changed:
            self._pacing.learn(slot, expected_s, took_s)

    def make_item(self, slot: Slot, *arguments: Any) -> dict[str, Any]:
        """See `HeldSlot.make_item`."""
        try:
            return self._worker(slot).make_item(*arguments)
        except (WorkerDied, TimedOut, ItemCrashed):  # a GPU that has faulted fails whatever comes after
            self._discard_worker(slot)
            if self.closed:
                raise SlotsClosed("the run was cancelled") from None
            raise

    def _acquire(self, cost: float) -> _Lease:
        ticket = (-cost, next(self._tickets))
        with self._changed:
            heapq.heappush(self._waiting, ticket)
        try:
            while not self.closed:
                self._let_go()
                lease = self._take(ticket)
                if lease is not None:
                    return lease
                with self._changed:
                    # Only the first in the queue looks out for other processes' locks; the rest wait to be woken.
                    self._changed.wait(_POLL_S if self._waiting[0] == ticket else 1.0)
            raise SlotsClosed("the run was cancelled")
        finally:
            with self._changed:
                self._waiting.remove(ticket)
                heapq.heapify(self._waiting)
                unwanted = [] if self._waiting else self._drop_kept()
                self._changed.notify_all()
            for lease in unwanted:
                self._release(lease)

    def _take(self, ticket: tuple[float, int]) -> _Lease | None:
        """A slot for this one of the queue, if there is one right now that nobody before it wants.

        One thread at a time: a slot that is free stays so until this thread has locked it.
        """
        with self._taking:
            with self._changed:
                kept = {lease.slot: lease for lease in self._kept}
                # A slot that is held, or whose worker is up, is quicker than one that has to start one.
                free = sorted(self._free, key=lambda slot: (slot not in self._workers, slot))
                now_s = time.monotonic()
                there = [*kept, *(slot for slot in free if now_s >= self._refused_until_s.get(slot.limit, 0.0))]
                before = sorted(one for one in self._waiting if one < ticket)
                if any(self._pacing.best(-cost, there, now_s) is not None for cost, _ in before):
                    return None
            while True:
                with self._changed:
                    slot = self._pacing.best(-ticket[0], there, now_s)
                    if slot is None:
                        return None
                    lease = kept.get(slot)
                    if lease is not None:
                        self._kept.remove(lease)
                        return lease
                lease = self._try(slot)
                if lease is not None:
                    return lease
                there.remove(slot)

    def _try(self, slot: Slot) -> _Lease | None:
        lock = try_lock(slot.name)
        if lock is None:
            return None
        try:
            left = lock.left_lease()
            if left is not None and self._returned(left):
                lock.remember_lease(None)
            limit_lease = self._limits.acquire(slot.limit)
            if limit_lease:
                lock.remember_lease(limit_lease)
        except BaseException:
            lock.release()
            raise
        if limit_lease is None:
            self._refused_until_s[slot.limit] = time.monotonic() + _LIMIT_POLL_S
            lock.release()
            return None
        with self._changed:
            self._free.discard(slot)
        return _Lease(slot, lock, limit_lease, time.monotonic())

    def _give_back(self, lease: _Lease) -> None:
        """Keep the slot for this run's next item for a moment, or let go of it."""
        with self._changed:
            if self._waiting and not self.closed and time.monotonic() - lease.since_s < _KEEP_S:
                self._kept.append(lease)
                self._changed.notify_all()
                return
        self._release(lease)

    def _let_go(self) -> None:
        """Give back slots that were kept, and that nobody who waits wants."""
        with self._changed:
            old = [one for one in self._kept if time.monotonic() - one.since_s >= 2 * _KEEP_S]
            self._kept = [one for one in self._kept if one not in old]
        for lease in old:
            self._release(lease)

    def _drop_kept(self) -> list[_Lease]:
        kept, self._kept = self._kept, []
        return kept

    def _release(self, lease: _Lease) -> None:
        # One that cannot be returned now stays noted in the lock's file: the next holder returns it.
        if not lease.limit_lease or self._returned(lease.limit_lease):
            with suppress(OSError):  # a lease that is noted and gone does no harm
                lease.lock.remember_lease(None)
        lease.lock.release()
        with self._changed:
            self._free.add(lease.slot)
            self._refused_until_s.pop(lease.slot.limit, None)
            self._changed.notify_all()

    def _returned(self, limit_lease: str) -> bool:
        try:
            return self._limits.release(limit_lease)
        except Exception as error:  # noqa: BLE001 - items are made, whatever becomes of a lease
            _log.warning("A lease on a device's limit could not be returned: %s", error)
            return False

    def _worker(self, slot: Slot) -> WorkerProcess:
        with self._changed:
            worker = self._workers.get(slot)
        if worker is None:
            worker = WorkerProcess(slot, self._threads, self._on_progress, self._timeouts)
            with self._changed:
                self._workers[slot] = worker
        if self.closed:
            worker.kill()
            raise SlotsClosed("the run was cancelled")
        return worker

    def _discard_worker(self, slot: Slot) -> None:
        with self._changed:
            worker = self._workers.pop(slot, None)
        if worker is not None:
            worker.kill()

    def close(self) -> None:
        """End the workers and give out no slot any more; may be called from any thread, more than once."""
        self._closed.set()
        with self._changed:
            workers = list(self._workers.values())
            self._workers.clear()
            kept = self._drop_kept()
            self._changed.notify_all()
        for worker in workers:
            worker.kill()
        for lease in kept:
            self._release(lease)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
        self._limits.close()
