"""The longest items first, on slots of uneven speed: the run ends soon after it could at best."""

import heapq

from hypothesis import given
from hypothesis import strategies as st

from tasks.devices.pacing import Pacing
from tasks.devices.slots import Slot

_SLOW = 4.0


def _makespan_s(seconds: list[float], slots: dict[Slot, float]) -> float:
    """What a run takes whose items are given out as `DeviceSlots` does; the slots' own pace is learnt on the way."""
    pacing, waiting, free = Pacing(), sorted(seconds, reverse=True), list(slots)
    at_work: list[tuple[float, Slot, float]] = []
    now_s = 0.0
    while waiting or at_work:
        for one in list(waiting):
            slot = pacing.best(one, free, now_s)
            if slot is not None:
                waiting.remove(one)
                free.remove(slot)
                pacing.began(slot, one, now_s)
                heapq.heappush(at_work, (now_s + one * slots[slot], slot, one))
        assert at_work, "nothing is made, and items wait"
        now_s, slot, one = heapq.heappop(at_work)
        pacing.learn(slot, one, one * slots[slot])
        pacing.ended(slot)
        free.append(slot)
    return now_s


@given(st.lists(st.floats(1, 20), min_size=30, max_size=80))
def test_the_tail_is_short_on_even_slots(seconds: list[float]) -> None:
    slots = {Slot(None, index): 1.0 for index in range(4)}
    assert _makespan_s(seconds, slots) <= 1.15 * max(sum(seconds) / 4, max(seconds))


@given(st.lists(st.floats(1, 20), min_size=60, max_size=120))
def test_a_slow_device_does_not_get_the_last_long_item(seconds: list[float]) -> None:
    slots = {Slot(0, 0): 1.0, Slot(0, 1): 1.0, Slot(1, 0): _SLOW}
    together = 2 + 1 / _SLOW
    first_on_slow_s = _SLOW * max(seconds)  # nothing is known of it yet when it gets its first
    assert _makespan_s(seconds, slots) <= max(1.15 * sum(seconds) / together, first_on_slow_s)


def test_an_item_waits_for_a_faster_slot_only_where_that_is_sooner() -> None:
    pacing, fast, slow = Pacing(), Slot(0, 0), Slot(1, 0)
    pacing.learn(fast, 10, 10)
    pacing.learn(slow, 10, 40)
    pacing.began(fast, 10, 40)
    assert pacing.best(10, [slow], 45) is None  # in 5 s and 10 more on the fast one, in 40 here
    assert pacing.best(10, [slow], 40) is None
    pacing.ended(fast)
    pacing.began(fast, 100, 50)
    assert pacing.best(10, [slow], 51) == slow
    assert pacing.best(10, [slow, fast], 51) == fast
    assert pacing.best(10, [], 51) is None
