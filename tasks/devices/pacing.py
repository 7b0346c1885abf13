"""Slots of uneven speed: is an item done sooner on a slot that is free, or on a faster one that soon will be?"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from tasks.devices.slots import Slot

_LEAST_S = 0.5  # what takes less says little about a device
_NEW = 0.5  # share of the latest item in a device's pace
_WORTH = 0.9  # waiting must save a tenth


@dataclass
class Pacing:
    """How the devices of a run compare, by what items were expected to take and took; seconds by one clock."""

    _pace: dict[str, float] = field(default_factory=dict)
    _busy: dict[Slot, tuple[float, float]] = field(default_factory=dict)

    def began(self, slot: Slot, expected_s: float, now_s: float) -> None:
        """A slot has been taken."""
        self._busy[slot] = (now_s, expected_s)

    def ended(self, slot: Slot) -> None:
        """It is free again."""
        self._busy.pop(slot)

    def learn(self, slot: Slot, expected_s: float, took_s: float) -> None:
        """An item was made there: one that failed at once would make its device look fast."""
        if expected_s >= _LEAST_S:
            latest = took_s / expected_s
            before = self._pace.get(slot.device_id, latest)
            self._pace[slot.device_id] = _NEW * latest + (1 - _NEW) * before

    def takes_s(self, slot: Slot, expected_s: float) -> float:
        """Seconds an item should take on a slot."""
        return expected_s * self._pace.get(slot.device_id, 1.0)

    def best(self, expected_s: float, free: Iterable[Slot], now_s: float) -> Slot | None:
        """The free slot that an item should take; None where it should wait for a faster one.

        Of slots that are as fast the first.
        """
        best = min(free, key=lambda slot: self.takes_s(slot, expected_s), default=None)
        if best is None:
            return None
        soonest_s = min(
            (
                max(0.0, began_s + self.takes_s(slot, of_that_s) - now_s) + self.takes_s(slot, expected_s)
                for slot, (began_s, of_that_s) in self._busy.items()
                if slot.device_id in self._pace
            ),
            default=float("inf"),
        )
        known = best.device_id in self._pace
        return None if known and soonest_s < _WORTH * self.takes_s(best, expected_s) else best
