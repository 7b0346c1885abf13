"""Long items are made alone, short ones together, and none is lost."""

from hypothesis import given
from hypothesis import strategies as st

from tasks.batches import ReadyItems
from tasks.items import Order
from tasks.making import BATCH_S


def _order(seconds: float, number: int = 0) -> Order:
    return Order(f"{number}", f"item {number}", {}, {}, seconds)


@given(st.lists(st.floats(0, 100), min_size=1, max_size=300), st.integers(1, 16))
def test_every_item_is_given_out_once_the_longest_first(seconds: list[float], slots: int) -> None:
    ready = ReadyItems()
    ready.add(_order(one, number) for number, one in enumerate(seconds))
    given_out: list[Order] = []
    while len(ready):
        batch = ready.take(slots)
        assert len(batch) == 1 or sum(one.expected_s for one in batch) <= BATCH_S + 1e-6
        given_out += batch
    assert [one.expected_s for one in given_out] == sorted(seconds, reverse=True)
    assert len({one.key for one in given_out}) == len(seconds)


def test_ten_thousand_short_items_are_a_few_hundred_tasks() -> None:
    ready = ReadyItems()
    ready.add(_order(0.02, number) for number in range(10_000))
    tasks = 0
    while len(ready):
        ready.take(2)
        tasks += 1
    assert tasks < 300


def test_no_slot_is_idle_while_another_has_several_to_go() -> None:
    ready = ReadyItems()
    ready.add(_order(2.0, number) for number in range(4))
    assert [len(ready.take(2)) for _ in range(4)] == [1, 1, 1, 1]


def test_what_is_not_ready_any_more_is_told() -> None:
    ready = ReadyItems()
    ready.add([_order(1.0), _order(2.0, 1)])
    assert len(ready.clear()) == 2
    assert len(ready) == 0
