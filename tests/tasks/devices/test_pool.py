import pytest

from tasks.devices.pool import threads_each


@pytest.mark.parametrize(("items", "threads"), [(None, 2), (1, 4), (2, 2), (500, 2)])
def test_fewer_items_than_slots_share_all_cores(
    items: int | None, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks.devices.pool.cpu_cores", lambda: 4)
    assert threads_each(2, items) == threads
