"""What runs inside a device worker: a spawned process that sees one device and keeps its models.

Nothing here, nor anything it calls, imports Prefect.
"""

import importlib
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from core.memory import PeakMemory

_PROGRESS_EVERY_S = 0.25
_progress: Connection | None = None


def initialise(gpu: int | None, threads: int, progress: Connection) -> None:
    """Prepare a fresh worker, before anything heavy is imported.

    Args:
        gpu: the only CUDA device it may see; None: none.
        threads: its share of the cores.
        progress: where it tells how far it is.
    """
    global _progress
    _progress = progress
    threading.Thread(target=_end_with_parent, name="end-with-parent", daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the flow's to handle; it ends its workers
    os.environ["CUDA_DEVICE_ORDER"] = "PCI_BUS_ID"  # as nvidia-smi counts
    os.environ["CUDA_VISIBLE_DEVICES"] = "" if gpu is None else str(gpu)
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(threads)
    import cv2

    cv2.setNumThreads(threads)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def ready() -> int:
    """The worker's process id: tells that it is up."""
    return os.getpid()


def make_item(function: str, request: dict[str, Any], folder: str, key: str, inputs: dict[str, Any]) -> dict[str, Any]:
    """Make one item, or find it made: its function fills a folder, which appears together with its manifest.

    Args:
        function: `module:name` of a `(request, folder, report) -> record` in `core`.
        request: the function's JSON-able argument.
        folder: where the item's outputs belong.
        key: the item's cache key.
        inputs: what the key was made from, for the manifest.

    Returns:
        The item's record, with `ran`: its seconds and the worker's memory.
    """
    from core.memory import PeakMemory
    from core.store.lock import exclusive
    from core.store.manifest import commit_item, read_valid

    with exclusive(Path(folder)):  # two runs on one output folder: the second waits, then finds it made
        done = read_valid(Path(folder), key)
        if done is not None:
            return done.record
        work = _named(function)
        started_s, memory = time.monotonic(), PeakMemory()
        with commit_item(Path(folder), key, inputs) as draft:
            draft.record.update(work(request, draft.folder, _reporter(key, memory)))
            draft.record["ran"] = {"seconds": round(time.monotonic() - started_s, 3), **memory.record()}
        return draft.record


def _named(function: str) -> Callable[..., dict[str, Any]]:
    module, _, name = function.partition(":")
    found: Callable[..., dict[str, Any]] = getattr(importlib.import_module(module), name)
    return found


def _reporter(key: str, memory: "PeakMemory") -> Callable[[int, int | None], None]:
    from core.memory import memory_use

    last_s = 0.0

    def report(done: int, expected: int | None) -> None:
        nonlocal last_s
        now_s = time.monotonic()
        if _progress is not None and now_s - last_s >= _PROGRESS_EVERY_S:
            last_s = now_s
            memory.sample()
            _progress.send((key, done, expected, memory_use()))

    return report
