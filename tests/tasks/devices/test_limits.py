"""The devices' limits on a real Prefect server."""

import os
import signal
import subprocess
import sys
import time
from uuid import uuid4

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("prefect_server")]


@pytest.fixture(autouse=True)
def settings_of_now(prefect_server: str) -> None:
    """Prefect may have been imported before the server was there."""
    from prefect.context import refresh_global_settings_context

    refresh_global_settings_context()


def _in_use(name: str) -> int:
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        return client.read_global_concurrency_limit_by_name(name).active_slots


def test_a_dead_holders_lease_is_returned_by_the_next_holder(monkeypatch: pytest.MonkeyPatch) -> None:
    from tasks.devices.pool import DeviceSlots
    from tasks.devices.slots import Slot

    host = f"box-{uuid4().hex[:6]}"
    slot = Slot(7, 0)
    script = (
        "import socket, sys, time\n"
        f"socket.gethostname = lambda: {host!r}\n"
        "from tasks.devices.pool import DeviceSlots\nfrom tasks.devices.slots import Slot\n"
        "if __name__ == '__main__':\n"
        "    with DeviceSlots([Slot(7, 0)], print) as slots, slots.held(1.0):\n"
        "        print('held', flush=True); time.sleep(100)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        os.kill(holder.pid, signal.SIGKILL)
    monkeypatch.setattr("socket.gethostname", lambda: host)
    assert _in_use(slot.limit) == 1  # Prefect has not noticed yet
    with DeviceSlots([slot], lambda *progress: None) as slots:
        with slots.held(1.0):
            assert _in_use(slot.limit) == 1
        assert _in_use(slot.limit) == 0


def test_a_limit_set_to_zero_drains_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.actions import GlobalConcurrencyLimitUpdate

    from tasks.devices.limits import DeviceLimits
    from tasks.devices.slots import Slot

    monkeypatch.setattr("socket.gethostname", lambda: f"box-{os.getpid()}")
    slot = Slot(6, 0)
    limits = DeviceLimits([slot])
    with get_client(sync_client=True) as client:
        client.update_global_concurrency_limit(slot.limit, GlobalConcurrencyLimitUpdate(limit=0))
        assert limits.acquire(slot.limit) is None
        client.update_global_concurrency_limit(slot.limit, GlobalConcurrencyLimitUpdate(limit=1))
    deadline_s = time.monotonic() + 30  # a busy server may refuse a lease that is free
    while (lease := limits.acquire(slot.limit)) is None and time.monotonic() < deadline_s:
        time.sleep(0.2)
    assert lease
    assert limits.acquire(slot.limit) is None
    limits.close()
    assert _in_use(slot.limit) == 0


def test_a_limit_that_was_deleted_is_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    from prefect.client.orchestration import get_client

    from tasks.devices.limits import DeviceLimits
    from tasks.devices.slots import Slot

    monkeypatch.setattr("socket.gethostname", lambda: f"box-gone-{os.getpid()}")
    slot = Slot(5, 0)
    limits = DeviceLimits([slot])
    with get_client(sync_client=True) as client:
        client.delete_global_concurrency_limit_by_name(slot.limit)
    lease = limits.acquire(slot.limit)
    assert lease
    assert _in_use(slot.limit) == 1
    limits.close()
    assert _in_use(slot.limit) == 0


def test_a_slot_goes_from_item_to_item_and_is_given_back_when_nobody_waits() -> None:
    from threading import Thread

    from tasks.devices.lock import try_lock
    from tasks.devices.pool import DeviceSlots
    from tasks.devices.slots import Slot

    order: list[float] = []
    slots = [Slot(8, 0), Slot(8, 1)]
    with DeviceSlots(slots, lambda *progress: None) as pool:

        def use(cost: float) -> None:
            with pool.held(cost):
                order.append(cost)

        with pool.held(99), pool.held(98):
            threads = [Thread(target=use, args=(cost,)) for cost in (1.0, 3.0, 2.0)]
            for thread in threads:
                thread.start()
            while len(pool._waiting) < 3:
                pass
        for thread in threads:
            thread.join()
        assert sorted(order) == [1.0, 2.0, 3.0]
        assert order[-1] == 1.0  # the costliest went first
        for slot in slots:
            lock = try_lock(slot.name)
            assert lock is not None
            lock.release()
    assert _in_use(slots[0].limit) == 0
