"""What runs inside a device worker: a spawned process that sees one device and keeps its models.

Nothing here, nor anything it calls, imports Prefect.
"""

import importlib
import multiprocessing
import os
import shutil
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import nullcontext
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.errors import MaskflowError
from core.imports import no_collection
from core.progress import Progress

if TYPE_CHECKING:
    from core.memory import PeakMemory

WAITING = -1
"""Told as progress while another run makes the same item."""
_PROGRESS_EVERY_S = 0.25
_progress: Connection | None = None


class ItemCrashed(MaskflowError):
    """An item function raised what is none of our errors. The second argument is the traceback."""

    def __str__(self) -> str:
        return str(self.args[0])

    @property
    def traceback(self) -> str:
        """Of the worker."""
        return str(self.args[1]) if len(self.args) > 1 else ""


def initialise(environment: dict[str, str], threads: int, progress: Connection) -> None:
    """Prepare a fresh worker, before anything heavy is imported.

    Args:
        environment: makes it see its device and no other.
        threads: its share of the cores.
        progress: where it reports progress.
    """
    global _progress
    _progress = progress
    threading.Thread(target=_end_with_parent, name="end-with-parent", daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the flow's to handle; it ends its workers
    os.environ.update(environment)
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
    """The worker's process id: shows that it is up."""
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
        The item's record, with `ran`: its seconds, the worker's memory, and what was changed where memory ran out.

    Raises:
        MaskflowError: as the item's function; `ItemCrashed` for everything else it raises, so that every error
            survives the way to the flow.
    """
    try:
        return _make_item(function, request, folder, key, inputs)
    except MaskflowError:
        raise
    except OSError as error:
        place = f" ({error.filename})" if error.filename else ""
        raise ItemCrashed(f"{error.strerror or error}{place}", traceback.format_exc()) from None
    except BaseException as error:  # noqa: BLE001 - a bug in one item, or what it calls, is that item's failure
        raise ItemCrashed(f"{type(error).__name__}: {error}", traceback.format_exc()) from None


def _make_item(function: str, request: dict[str, Any], folder: str, key: str, inputs: dict[str, Any]) -> dict[str, Any]:
    from core.memory import PeakMemory, take_memory_notes
    from core.store.lock import exclusive
    from core.store.manifest import begun_folder, commit_item, read_valid

    waiting = _reporter(key, PeakMemory())
    with exclusive(Path(folder), lambda: waiting(WAITING, None)):  # two runs on one folder: the second finds it made
        done = read_valid(Path(folder), key)
        if done is not None:
            return done.record
        work = _named(function)
        started_s, memory = time.monotonic(), PeakMemory()
        take_memory_notes()  # of an item that failed
        with commit_item(Path(folder), key, inputs) as draft:
            begun = (begun_folder(Path(folder)),) if getattr(work, "resumes", False) else ()
            draft.record.update(work(request, draft.folder, _reporter(key, memory), *begun))
            draft.record["ran"] = {
                "seconds": round(time.monotonic() - started_s, 3),
                "output_bytes": sum(path.stat().st_size for path in draft.folder.rglob("*") if path.is_file()),
                **memory.record(),
                **({"out_of_memory": notes} if (notes := take_memory_notes()) else {}),
            }
        shutil.rmtree(begun_folder(Path(folder)), ignore_errors=True)
        return draft.record


def _named(function: str) -> Callable[..., dict[str, Any]]:
    module, _, name = function.partition(":")
    with no_collection() if module not in sys.modules else nullcontext():
        found: Callable[..., dict[str, Any]] = getattr(importlib.import_module(module), name)
    return found


def _reporter(key: str, memory: "PeakMemory") -> Progress:
    from core.memory import memory_use

    last_s = 0.0
    sending = threading.Lock()

    def report(done: int, expected: int | None) -> None:
        nonlocal last_s
        if _progress is None or time.monotonic() - last_s < _PROGRESS_EVERY_S:
            return
        with sending:  # also from threads that read ahead
            last_s = time.monotonic()
            memory.sample()
            _progress.send((key, done, expected, memory_use()))

    return report
