"""A slot's worker process, seen from the flow: started when first needed, replaced after it died."""

import multiprocessing
import signal
import sys
import threading
import time
import types
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, CancelledError, Future, ProcessPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

from core.errors import MaskflowError
from core.memory import MemoryUse
from tasks.devices import worker
from tasks.devices.slots import Slot
from tasks.devices.timeouts import TimedOut, Timeouts, in_words

OnProgress = Callable[[str, int, int | None, MemoryUse], None]
_starting = threading.Lock()
_STARTS_WITHIN_S = 300.0
_ENDS_WITHIN_S = 5.0
_LOOK_EVERY_S = 1.0


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


def _exit_code(process: BaseProcess) -> int | None:
    """Of a process that is ending; None where it does not end in time."""
    deadline_s = time.monotonic() + _ENDS_WITHIN_S
    process.join(_ENDS_WITHIN_S)
    # The executor's own thread may be the one that reaps it; the exit code is there once that thread has stored it.
    while (code := process.exitcode) is None and time.monotonic() < deadline_s:
        time.sleep(0.01)
    return code


class WorkerProcess:
    """One long-lived process that runs one item at a time.

    Args:
        slot: the device it sees.
        threads: its share of the cores.
        on_progress: gets item key, frames done, frames expected and memory used, from a thread.
        timeouts: how long an item may take.

    Raises:
        WorkerDied: it does not start.
    """

    def __init__(self, slot: Slot, threads: int, on_progress: OnProgress, timeouts: Timeouts | None = None) -> None:
        self._on_progress = on_progress
        self._timeouts = timeouts or Timeouts()
        self._process: BaseProcess | None = None
        self._started_s = self._heard_s = time.monotonic()
        self._progress: tuple[int, int | None] | None = None
        context = multiprocessing.get_context("spawn")
        reader, writer = context.Pipe(duplex=False)
        self._executor = ProcessPoolExecutor(
            1, mp_context=context, initializer=worker.initialise, initargs=(slot.environment, threads, writer)
        )
        try:
            with _blank_main():
                before = set(multiprocessing.active_children())
                started = self._executor.submit(worker.ready)
                self._process = next(iter(set(multiprocessing.active_children()) - before), None)
            if self._wait(started, _STARTS_WITHIN_S) is None or self._process is None:
                raise WorkerDied("the device worker ended as soon as it had started")
        except NotYet:
            self.kill()
            raise WorkerDied(f"the device worker did not start within {in_words(_STARTS_WITHIN_S)}") from None
        except BaseException:
            self.kill()
            raise
        finally:
            writer.close()
        threading.Thread(target=self._listen, args=(reader,), name=f"progress-{slot.name}", daemon=True).start()

    def _listen(self, reader: Connection) -> None:
        with reader, suppress(EOFError, OSError):
            while True:
                key, done, expected, memory = reader.recv()
                self._heard_s = time.monotonic()
                if done == worker.WAITING:  # for another run that makes the same item: its own time has not begun
                    self._started_s = self._heard_s
                    continue
                self._progress = (done, expected)
                with suppress(Exception):  # a pipe that nobody reads would stop the worker
                    self._on_progress(key, done, expected, memory)

    def make_item(self, *arguments: Any) -> dict[str, Any]:
        """Run `worker.make_item` there.

        Raises:
            WorkerDied: the process ended in mid-item.
            TimedOut: it took too long; the process has been killed.
            Exception: what `worker.make_item` raises.
        """
        self._started_s = self._heard_s = time.monotonic()
        self._progress = None
        try:
            future = self._executor.submit(worker.make_item, *arguments)
        except RuntimeError:  # it takes no work any more: shut down, or broken
            raise WorkerDied(f"the device worker {self._how_it_ended()}") from None
        while True:
            try:
                record: dict[str, Any] = self._wait(future, _LOOK_EVERY_S)
                return record
            except NotYet:
                if not future.done():
                    self._check_time()

    def _check_time(self) -> None:
        now_s, timeouts = time.monotonic(), self._timeouts
        silent, longest = now_s - self._heard_s > timeouts.stall_s, timeouts.item_s
        if not silent and (longest is None or now_s - self._started_s <= longest):
            return
        self.kill()
        if silent:
            raise TimedOut(
                f"no progress for {in_words(timeouts.stall_s)} ({self._how_far()}): it was killed; give a longer "
                "stall_timeout if it only was slow"
            )
        raise TimedOut(f"not done within item_timeout = {in_words(longest or 0)} ({self._how_far()}): it was killed")

    def _how_far(self) -> str:
        if self._progress is None:
            return "it had not reported any progress"
        done, expected = self._progress
        return f"it was at {done} of {expected or 'an unknown number'}"

    def _wait(self, future: "Future[Any]", seconds: float) -> Any:
        try:
            return future.result(seconds)
        except (BrokenExecutor, CancelledError):
            raise WorkerDied(f"the device worker {self._how_it_ended()}") from None

    def _how_it_ended(self) -> str:
        process = self._process
        if process is None:
            return "did not start"
        code = _exit_code(process)
        if code is None or code >= 0:
            return f"ended with exit code {code}"
        hint = " (out of memory?)" if -code == signal.SIGKILL else ""
        known = signal.Signals(-code).name if -code in list(signal.Signals) else f"signal {-code}"
        return f"was killed by {known}{hint}"

    def kill(self) -> None:
        """End the process at once; more than once does no harm."""
        if self._process is not None:
            self._process.kill()
        self._executor.shutdown(wait=False, cancel_futures=True)
        if self._process is not None:
            _exit_code(self._process)
