"""The devices' limits on a real Prefect server."""

import os
import signal
import subprocess
import sys
from uuid import uuid4

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("prefect_server")]


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
        "    with DeviceSlots([Slot(7, 0)], print) as slots, slots._leased(1.0):\n"
        "        print('held', flush=True); time.sleep(100)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        os.kill(holder.pid, signal.SIGKILL)
    monkeypatch.setattr("socket.gethostname", lambda: host)
    assert _in_use(slot.limit) == 1  # Prefect has not noticed yet
    with DeviceSlots([slot], lambda *progress: None) as slots:
        with slots._leased(1.0):
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
    lease = limits.acquire(slot.limit)
    assert lease
    assert limits.acquire(slot.limit) is None
    limits.close()
    assert _in_use(slot.limit) == 0
