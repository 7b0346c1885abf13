"""How much memory this process uses, on the host and on its GPU."""

import ctypes
import gc
import logging
import sys
from dataclasses import dataclass

import psutil

_MIB = 2**20


@dataclass(frozen=True)
class MemoryUse:
    """In MiB: resident memory of the process, and what it holds on its GPU (None: it uses none)."""

    host_mib: float
    gpu_mib: float | None = None


def memory_use() -> MemoryUse:
    """At this moment; on the GPU the most since `PeakMemory` began."""
    host = psutil.Process().memory_info().rss / _MIB
    torch = sys.modules.get("torch")  # never loaded for this
    if torch is None or not torch.cuda.is_initialized():
        return MemoryUse(host)
    return MemoryUse(host, torch.cuda.max_memory_allocated() / _MIB)


def release_free() -> None:
    """Give back to the system what is free but kept, so that memory does not creep up from one item to the next."""
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.empty_cache()
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc's
        if trim is not None:
            trim(0)


class PeakMemory:
    """The most that was used from its making on, as far as `sample` was called."""

    def __init__(self) -> None:
        torch = sys.modules.get("torch")
        if torch is not None and torch.cuda.is_initialized():
            torch.cuda.reset_peak_memory_stats()
        self._before = self._most = memory_use()

    def sample(self) -> None:
        """Look how much is used now."""
        now = memory_use()
        self._most = MemoryUse(max(self._most.host_mib, now.host_mib), now.gpu_mib)

    def record(self) -> dict[str, float | None]:
        """JSON-able: MiB before, at the peak, and now."""
        self.sample()
        gpu = self._most.gpu_mib
        return {
            "host_before_mib": round(self._before.host_mib, 1),
            "host_peak_mib": round(self._most.host_mib, 1),
            "host_after_mib": round(memory_use().host_mib, 1),
            "gpu_peak_mib": None if gpu is None else round(gpu, 1),
        }


_notes: dict[str, None] = {}
_log = logging.getLogger("maskflow.memory")


def note_memory(what: str) -> None:
    """Remember, for the record of the present item, what was changed because memory ran out."""
    _notes[what] = None
    _log.info("out of memory: %s", what)


def take_memory_notes() -> list[str]:
    """What was noted since the last call, each once."""
    taken = list(_notes)
    _notes.clear()
    return taken
