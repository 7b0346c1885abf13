"""How far a run is: in the terminal when there is one, and as a progress artifact in the Prefect UI."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from core.memory import MemoryUse
from core.text import one_line
from tasks.reporting.artifacts import ProgressArtifact

_ARTIFACT_EVERY_S = 3.0


class Display(Protocol):
    """Something that shows progress to a person; the command line sets one."""

    def stage(self, name: str, items: int) -> None:
        """A new stage of the run begins."""
        ...

    def show(self, fraction: float, done: int, running: Sequence[tuple[str, int, int | None]]) -> None:
        """Share done (0..1), items done, and name, frames done, frames expected of each running item."""
        ...


_display: Display | None = None


@contextmanager
def shown_on(display: Display) -> Iterator[None]:
    """Show the progress of runs in this process on `display` while the context lasts."""
    global _display
    _display = display
    try:
        yield
    finally:
        _display = None


class StageProgress:
    """Progress of one stage: a share for each item by its cost, filled as its frames are done.

    Args:
        name: of the stage.
        total_cost: of all items.
        items: how many there are.
    """

    def __init__(self, name: str, total_cost: float, items: int) -> None:
        self._name = name
        self._items = items
        self._total = total_cost
        self._costs: dict[str, float] = {}
        self._names: dict[str, str] = {}
        self._frames: dict[str, tuple[int, int | None]] = {}
        self._memory: dict[str, MemoryUse] = {}
        self._finished: set[str] = set()
        self._done_cost = 0.0
        self._lock = threading.Lock()
        self._artifact = ProgressArtifact(f"{name}: {items} items")
        self._shown_s = self.heard_s = time.monotonic()
        if _display is not None:
            _display.stage(name, items)

    def known(self, key: str, name: str, cost: float) -> None:
        """An item's key is known: what its worker reports comes under it."""
        with self._lock:
            self._costs[key], self._names[key] = cost, name

    def same(self, cost: float) -> None:
        """An item turned out to be the same as another."""
        with self._lock:
            self._items -= 1
            self._total -= cost

    def frames(self, key: str, done: int, expected: int | None, memory: MemoryUse | None = None) -> None:
        """An item's worker reports progress and memory; called from any thread."""
        with self._lock:
            if key in self._names and key not in self._finished:
                self.heard_s = time.monotonic()
                self._frames[key] = (done, expected)
                if memory is not None:
                    self._memory[key] = memory

    def finished(self, key: str) -> None:
        """An item is done, cached or failed."""
        with self._lock:
            self.heard_s = time.monotonic()
            self._frames.pop(key, None)
            self._memory.pop(key, None)
            if key not in self._finished:
                self._finished.add(key)
                self._done_cost += self._costs.get(key, 0.0)

    def forget(self, key: str) -> None:
        """What was shown under this key is over, and was no item."""
        with self._lock:
            self._names.pop(key, None)
            self._frames.pop(key, None)

    def running(self) -> list[tuple[str, int, int | None]]:
        """Name, frames done and frames expected of the items that are being made."""
        with self._lock:
            return [(self._names[key], *frames) for key, frames in self._frames.items()]

    def fraction(self) -> float:
        """Share of the stage that is done, 0..1."""
        with self._lock:
            share = self._done_cost
            for key, (done, expected) in self._frames.items():
                share += self._costs[key] * min(1.0, done / expected if expected else 0.0)
        return min(1.0, share / self._total) if self._total > 0 else 0.0

    def show(self, last: bool = False) -> None:
        """Show the present state; the artifact at most every few seconds."""
        fraction = 1.0 if last else self.fraction()
        if _display is not None:
            with self._lock:
                done = len(self._finished)
            _display.show(fraction, done, self.running())
        if last or time.monotonic() - self._shown_s >= _ARTIFACT_EVERY_S:
            self._shown_s = time.monotonic()
            self._artifact.update(round(100 * fraction, 1), self._running_items())

    def _running_items(self) -> str:
        """Items done and the memory of the workers that are at it, for the progress artifact."""
        with self._lock:
            parts = [f"{self._name}: {len(self._finished)} of {self._items} items"]
            for key, memory in sorted(self._memory.items(), key=lambda item: self._names[item[0]]):
                gpu = "" if memory.gpu_mib is None else f", GPU {memory.gpu_mib:.0f} MiB"
                parts.append(f"{one_line(self._names[key], 80)}: {memory.host_mib:.0f} MiB{gpu}")
        return "; ".join(parts)
