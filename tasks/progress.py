"""How far a run is: in the terminal when there is one, and as a progress artifact in the Prefect UI."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol
from uuid import UUID

from prefect.artifacts import create_progress_artifact, update_progress_artifact

from core.memory import MemoryUse

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


def _made(artifact: object) -> UUID:
    # Prefect's functions are typed for both worlds; outside a coroutine they give the id itself.
    assert isinstance(artifact, UUID)
    return artifact


class StageProgress:
    """Progress of one stage: a share for each item by its cost, filled as its frames are done."""

    def __init__(self, name: str, costs: dict[str, float], names: dict[str, str]) -> None:
        self._name = name
        self._costs = costs
        self._names = names
        self._total = sum(costs.values()) or 1.0
        self._frames: dict[str, tuple[int, int | None]] = {}
        self._memory: dict[str, MemoryUse] = {}
        self._finished: set[str] = set()
        self._lock = threading.Lock()
        self._artifact = _made(create_progress_artifact(progress=0.0, description=f"{name}: {len(costs)} items"))
        self._shown_s = time.monotonic()
        if _display is not None:
            _display.stage(name, len(costs))

    def frames(self, key: str, done: int, expected: int | None, memory: MemoryUse) -> None:
        """An item's worker tells how far it is, and how much memory it uses; called from any thread."""
        with self._lock:
            if key in self._costs and key not in self._finished:
                self._frames[key] = (done, expected)
                self._memory[key] = memory

    def finished(self, key: str) -> None:
        """An item is done, cached or failed."""
        with self._lock:
            self._frames.pop(key, None)
            self._memory.pop(key, None)
            self._finished.add(key)

    def fraction(self) -> float:
        """Share of the stage that is done, 0..1."""
        with self._lock:
            share = sum(self._costs[key] for key in self._finished)
            for key, (done, expected) in self._frames.items():
                share += self._costs[key] * min(1.0, done / expected if expected else 0.0)
        return min(1.0, share / self._total)

    def show(self, last: bool = False) -> None:
        """Show the present state; the artifact at most every few seconds."""
        fraction = self.fraction()
        if _display is not None:
            with self._lock:
                running = [(self._names[key], *frames) for key, frames in self._frames.items()]
                done = len(self._finished)
            _display.show(fraction, done, running)
        if last or time.monotonic() - self._shown_s >= _ARTIFACT_EVERY_S:
            self._shown_s = time.monotonic()
            told = self._told()
            update_progress_artifact(self._artifact, progress=round(100 * fraction, 1), description=told)

    def _told(self) -> str:
        """Items done and the memory of the workers that are at it, for the progress artifact."""
        with self._lock:
            parts = [f"{self._name}: {len(self._finished)} of {len(self._costs)} items"]
            for key, memory in sorted(self._memory.items(), key=lambda item: self._names[item[0]]):
                gpu = "" if memory.gpu_mib is None else f", GPU {memory.gpu_mib:.0f} MiB"
                parts.append(f"{self._names[key]}: {memory.host_mib:.0f} MiB{gpu}")
        return "; ".join(parts)
