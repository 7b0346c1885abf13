"""What runs keep beside their outputs: finished items, listed and removed without harm to a run that is at work."""

import fcntl
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from core.errors import RefusedInput
from core.store.atomic import write_text
from core.store.manifest import MANIFEST, Manifest

STATE = ".maskflow"
_RESULTS = "results"  # where earlier versions kept Prefect's records
_IN_USE = "in_use.lock"
_LAST_RUN = "last_run"
_KEYS = "keys"
_KEY_VERSION = "2"  # raised when the keys of all items are made in another way


@dataclass(frozen=True)
class CachedItem:
    """A finished item.

    Attributes:
        stage: the folder its kind is in.
        folder: its own.
        key: of 64 hex digits; empty where its manifest cannot be read: it is made again in any case.
        size_bytes: on disk.
        used_s: when a run used it last, in seconds since 1970.
        unused: the last run in this output folder did not use it.
    """

    stage: str
    folder: Path
    key: str
    size_bytes: int
    used_s: float
    unused: bool


def mark_used(folder: Path) -> None:
    """Note that a run uses this item; a folder that cannot be touched is only listed as older than it is."""
    with suppress(OSError):
        os.utime(folder)


@contextmanager
def in_use(state: Path) -> Iterator[None]:
    """Hold the right to use the state folder, together with other runs; `prune` needs it alone.

    A run that comes to its end is the last run: what it did not use since it began is unused.
    """
    state.mkdir(parents=True, exist_ok=True)
    with (state / _IN_USE).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        os.utime(lock.fileno())
        began_ns = os.fstat(lock.fileno()).st_mtime_ns  # by the file system's clock, as the times of the items are
        yield
        with suppress(OSError):
            (state / _LAST_RUN).touch()
            os.utime(state / _LAST_RUN, ns=(began_ns, began_ns))


def has_items_of_an_earlier_version(state: Path) -> bool:
    """Whether items are kept here whose keys an earlier version made, so that no run finds them.

    Only where the keys of all stages have changed at once; of a stage that was changed alone nothing is said.
    """
    noted = state / _KEYS
    if noted.is_file() and noted.read_text(encoding="utf-8") == _KEY_VERSION:
        return False
    return any(state.glob(f"[!.]*/[!.]*/{MANIFEST}"))


def note_key_version(state: Path) -> None:
    """Items made from now on have the keys of this version."""
    write_text(state / _KEYS, _KEY_VERSION)


def list_items(outputs: Path) -> list[CachedItem]:
    """The items kept beside the outputs of runs, the longest unused first.

    Raises:
        RefusedInput: there is no such state.
    """
    state = _state(outputs)
    last_run = state / _LAST_RUN
    last_run_s = last_run.stat().st_mtime if last_run.exists() else 0.0
    items = [
        _item(stage.name, folder, last_run_s)
        for stage in state.iterdir()
        if stage.is_dir() and stage.name != _RESULTS and not stage.name.startswith(".")
        for folder in stage.iterdir()
        if folder.is_dir() and not folder.name.startswith(".")
    ]
    return sorted(items, key=lambda one: (one.used_s, one.stage, one.folder.name))


def choose(
    items: Sequence[CachedItem], older_than_s: float | None, max_bytes: int | None, unused: bool
) -> list[CachedItem]:
    """Which of the items to remove: each that one of the rules names.

    Args:
        items: the longest unused first.
        older_than_s: not used for so many seconds.
        max_bytes: the longest unused, until the rest is no larger.
        unused: the last run did not use them.
    """
    now_s = time.time()
    left = sum(one.size_bytes for one in items)
    chosen = []
    for one in items:
        old = older_than_s is not None and now_s - one.used_s > older_than_s
        too_much = max_bytes is not None and left > max_bytes
        if old or too_much or (unused and one.unused):
            chosen.append(one)
            left -= one.size_bytes
    return chosen


def remove(outputs: Path, items: Sequence[CachedItem]) -> None:
    """Remove items. Delivered files stay; a later run makes again what it needs.

    Raises:
        RefusedInput: a run is at work in this output folder.
    """
    state = _state(outputs)
    with (state / _IN_USE).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RefusedInput(f"{outputs}: a run is at work there; try again when it has ended") from None
        for one in items:
            shutil.rmtree(one.folder, ignore_errors=True)
            one.folder.with_name(f".{one.folder.name}.lock").unlink(missing_ok=True)
            if one.key:
                (state / _RESULTS / one.key).unlink(missing_ok=True)


def _state(outputs: Path) -> Path:
    state = outputs / STATE
    if not state.is_dir():
        raise RefusedInput.of("output", str(outputs), f"the output folder of a run: there is no {STATE} in it")
    return state


def _item(stage: str, folder: Path, last_run_s: float) -> CachedItem:
    size, used_s = 0, 0.0
    with suppress(FileNotFoundError):  # a run may be at work
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        used_s = folder.stat().st_mtime
    try:
        key = Manifest.model_validate_json((folder / MANIFEST).read_bytes()).key
    except (OSError, ValidationError):
        key = ""
    return CachedItem(stage, folder, key, size, used_s, used_s < last_run_s)
