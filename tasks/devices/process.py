"""A slot's worker process, seen from the flow: started when first needed, replaced after it died."""

import multiprocessing
import signal
import sys
import threading
import time
import types
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

from core.errors import MaskflowError
from core.memory import MemoryUse
from tasks.devices import worker
from tasks.devices.slots import Slot

OnProgress = Callable[[str, int, int | None, MemoryUse], None]
_starting = threading.Lock()


class WorkerDied(MaskflowError):
    """A device worker ended in the middle of an item: a failed attempt, worth another."""


@contextmanager
def _blank_main() -> Iterator[None]:
    # A spawned process runs its parent's main script again, with all it imports (Prefect: two seconds and 150 MB).
    # Ours need nothing from it.
    with _starting:
        main = sys.modules["__main__"]
        sys.modules["__main__"] = types.ModuleType("__main__")
        try:
            yield
        finally:
            sys.modules["__main__"] = main


_REAPED_WITHIN_S = 5.0


class WorkerProcess:
    """One long-lived process that runs one item at a time."""

    def __init__(self, slot: Slot, threads: int, on_progress: OnProgress) -> None:
        self._on_progress = on_progress
        context = multiprocessing.get_context("spawn")
        reader, writer = context.Pipe(duplex=False)
        self._executor = ProcessPoolExecutor(
            1, mp_context=context, initializer=worker.initialise, initargs=(slot.gpu, threads, writer)
        )
        with _blank_main():
            started = self._executor.submit(worker.ready)
        pid = self._result(started.result)
        writer.close()
        self._process = next(p for p in multiprocessing.active_children() if p.pid == pid)
        threading.Thread(target=self._listen, args=(reader,), name=f"progress-{slot.name}", daemon=True).start()

    def _listen(self, reader: Connection) -> None:
        try:
            while True:
                self._on_progress(*reader.recv())
        except (EOFError, OSError):
            reader.close()

    def make_item(self, *arguments: Any) -> dict[str, Any]:
        """Run `worker.make_item` there. Raises what it raises, and `WorkerDied`."""
        record: dict[str, Any] = self._result(self._executor.submit(worker.make_item, *arguments).result)
        return record

    def _result(self, wait: Callable[[], Any]) -> Any:
        try:
            return wait()
        except (BrokenExecutor, RuntimeError) as error:
            if isinstance(error, BrokenExecutor) or "shutdown" in str(error):
                raise WorkerDied(f"the device worker {self._how_it_ended()}") from None
            raise

    def _how_it_ended(self) -> str:
        process = getattr(self, "_process", None)
        if process is None:
            return "did not start"
        deadline = time.monotonic() + _REAPED_WITHIN_S
        process.join(_REAPED_WITHIN_S)
        # The executor's own thread may be the one that reaps it; the exit code is there once that thread has stored it.
        while (code := process.exitcode) is None and time.monotonic() < deadline:
            time.sleep(0.01)
        if code is None or code >= 0:
            return f"ended with exit code {code}"
        hint = " (out of memory?)" if -code == signal.SIGKILL else ""
        return f"was killed by {signal.Signals(-code).name}{hint}"

    def kill(self) -> None:
        """End the process at once."""
        self._process.kill()
        self._executor.shutdown(wait=False, cancel_futures=True)
        self._process.join(5.0)
