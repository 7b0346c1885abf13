import pytest

from tasks.devices.pool import DeviceSlots
from tasks.devices.slots import Slot

TWO = [Slot(None, 0), Slot(None, 1)]


@pytest.mark.parametrize(("items", "threads"), [(None, 2), (1, 4), (2, 2), (500, 2)])
def test_fewer_items_than_slots_share_all_cores(
    items: int | None, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks.devices.pool.cpu_cores", lambda: 4)
    assert DeviceSlots(TWO, lambda *progress: None, items)._threads == threads
