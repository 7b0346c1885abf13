"""Slots are given out one to an item, come back whatever happens, and are never lost."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from core.errors import BadMedia, MaskflowError
from tasks.devices import pool as pool_module
from tasks.devices.pool import DeviceSlots, SlotsClosed, threads_each
from tasks.devices.process import WorkerDied
from tasks.devices.slots import Slot
from tasks.devices.timeouts import TimedOut
from tasks.devices.worker import ItemCrashed


@pytest.mark.parametrize(("items", "threads"), [(None, 2), (1, 4), (2, 2), (500, 2)])
def test_fewer_items_than_slots_share_all_cores(
    items: int | None, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks.devices.pool.cpu_cores", lambda: 4)
    assert threads_each(2, items) == threads


class _Limits:
    """Admits so many at once; may raise."""

    def __init__(self, most: int = 100) -> None:
        self.most = most
        self.in_use = 0
        self.most_in_use = 0
        self.requested = 0
        self.errors: list[BaseException] = []
        self.unreachable = False
        self.returned: list[str] = []
        self._lock = threading.Lock()

    def acquire(self, limit: str) -> str | None:
        with self._lock:
            self.requested += 1
            if self.errors:
                raise self.errors.pop()
            if self.in_use >= self.most:
                return None
            self.in_use += 1
            self.most_in_use = max(self.in_use, self.most_in_use)
            return f"lease-{self.requested}"

    def release(self, lease: str) -> bool:
        with self._lock:
            if self.unreachable:
                return False
            self.in_use -= 1
            self.returned.append(lease)
            return True

    def close(self) -> None:
        pass


class _Worker:
    """In the place of a process; what an item does stands in its first argument."""

    alive: ClassVar["set[_Worker]"] = set()

    def __init__(self, slot: Slot, *_: Any) -> None:
        if slot.index == 77:
            raise WorkerDied("the device worker did not start")
        self.alive.add(self)

    def make_item(self, what: object, *_: Any) -> dict[str, Any]:
        if isinstance(what, BaseException):
            raise what
        time.sleep(float(str(what)))
        return {"made": what}

    def kill(self) -> None:
        self.alive.discard(self)


@pytest.fixture(autouse=True)
def fakes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.setattr(pool_module, "WorkerProcess", _Worker)
    monkeypatch.setenv("MASKFLOW_SLOT_LOCKS", str(tmp_path / "locks"))
    _Worker.alive = set()
    yield
    assert _Worker.alive == set(), "a worker outlived its run"


def _slots(count: int, limits: _Limits) -> DeviceSlots:
    return DeviceSlots([Slot(None, index) for index in range(count)], lambda *_: None, limits=limits)


def _run_all(slots: DeviceSlots, items: list[object], costs: list[float] | None = None) -> list[object]:
    """Each item in a thread of its own: what it gave, or raised."""
    results: list[object] = [None] * len(items)

    def run(place: int) -> None:
        try:
            with slots.held(costs[place] if costs else 1.0) as held:
                results[place] = held.make_item(items[place])
        except BaseException as error:  # noqa: BLE001 - what the test is about
            results[place] = error

    threads = [threading.Thread(target=run, args=(place,)) for place in range(len(items))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads), "an item waits for a slot that was lost"
    return results


def test_a_limit_below_the_number_of_slots_does_not_stall(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = _Limits(most=2)
    with _slots(16, limits) as slots:
        started_s = time.monotonic()
        results = _run_all(slots, [0.05] * 20)
        took_s = time.monotonic() - started_s
    assert all(isinstance(one, dict) for one in results)
    assert limits.most_in_use == 2
    assert limits.in_use == 0
    # Each refused slot once slept half a second at the head of the queue: 14 of them, again and again.
    assert limits.requested < 60
    assert took_s < 20 * 0.05 / 2 + 5


def test_slots_are_not_lost_under_strain() -> None:
    limits = _Limits()
    with _slots(4, limits) as slots:
        for _ in range(5):
            results = _run_all(slots, [0.001 * (place % 3) for place in range(40)], [place % 7 for place in range(40)])
            assert all(isinstance(one, dict) for one in results)
            assert len(slots._free) == 4
    assert limits.in_use == 0


@pytest.mark.parametrize(
    "error",
    [
        WorkerDied("killed"),
        TimedOut("no progress"),
        ItemCrashed("CUDA error", ""),
        BadMedia("broken"),
        RuntimeError("odd"),
        KeyboardInterrupt(),
    ],
)
def test_whatever_an_item_raises_its_slot_comes_back(error: BaseException) -> None:
    limits = _Limits()
    with _slots(1, limits) as slots:
        assert _run_all(slots, [error]) == [error]
        # A worker that died, hung or may have a broken device is gone; one whose item was refused is kept.
        assert bool(_Worker.alive) == (not isinstance(error, WorkerDied | TimedOut | ItemCrashed))
        assert _run_all(slots, [0.0]) == [{"made": 0.0}]
        assert len(slots._free) == 1
    assert limits.in_use == 0


@pytest.mark.parametrize("error", [MaskflowError("lock"), OSError(28, "full"), RuntimeError("odd")])
def test_a_lease_that_cannot_be_taken_costs_one_item(error: BaseException) -> None:
    limits = _Limits()
    limits.errors = [error]
    with _slots(1, limits) as slots:
        assert _run_all(slots, [0.0]) == [error]
        assert _run_all(slots, [0.0]) == [{"made": 0.0}]
    assert limits.in_use == 0


def test_a_worker_that_does_not_start_costs_one_item() -> None:
    limits = _Limits()
    with DeviceSlots([Slot(None, 77)], lambda *_: None, limits=limits) as slots:
        (error,) = _run_all(slots, [0.0])
        assert isinstance(error, WorkerDied)
        assert len(slots._free) == 1
    assert limits.in_use == 0


def test_closing_ends_those_that_wait() -> None:
    limits = _Limits(most=0)
    with _slots(2, limits) as slots:
        threading.Timer(0.2, slots.close).start()
        assert all(isinstance(one, SlotsClosed) for one in _run_all(slots, [0.0, 0.0, 0.0]))


def test_a_limit_that_is_raised_is_used_soon() -> None:
    limits = _Limits(most=0)
    with _slots(3, limits) as slots:

        def raise_limit() -> None:
            limits.most = 3

        threading.Timer(0.3, raise_limit).start()
        assert all(isinstance(one, dict) for one in _run_all(slots, [0.0] * 6))


def test_a_lease_whose_return_raises_does_not_lose_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = _Limits()

    def broken(lease: str) -> bool:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(limits, "release", broken)
    with _slots(1, limits) as slots:
        assert _run_all(slots, [0.0, 0.0]) == [{"made": 0.0}] * 2
        assert len(slots._free) == 1


def test_a_lease_that_could_not_be_returned_is_returned_by_the_next_holder() -> None:
    limits = _Limits(most=1)
    with _slots(1, limits) as slots:
        limits.unreachable = True
        assert _run_all(slots, [0.0]) == [{"made": 0.0}]
        assert limits.in_use == 1
        limits.unreachable = False
        assert _run_all(slots, [0.0]) == [{"made": 0.0}]
    assert limits.in_use == 0
    assert limits.returned == ["lease-1", "lease-2"]
