"""Putting an item's output where the user wants it."""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from core.errors import MaskflowError, RefusedInput
from core.store.atomic import clone_or_copy, sweep_temporaries, write_text
from core.store.digests import DigestCache
from core.store.paths import inside


@contextmanager
def deliverable(path: Path) -> Iterator[None]:
    """Around the writing of a run's own files: where that fails, one line says which and why; items stay finished.

    Raises:
        MaskflowError: the disk is full, or a folder cannot be written any more.
    """
    try:
        yield
    except OSError as error:
        place = error.filename or path
        remedy = "make room or another place, and run the same command again: what is done is kept"
        raise MaskflowError(f"{place} cannot be written: {error.strerror or error}; {remedy}") from None


def undelivered(error: OSError | RefusedInput) -> str:
    """Why an output is not where it was wanted, with its place."""
    if isinstance(error, OSError) and error.strerror:
        place = error.filename2 or error.filename
        return f"cannot be delivered: {error.strerror}" + (f": {place}" if place else "")
    return f"cannot be delivered: {error}"


def deliver_all(made: Path, names: Iterable[str], wanted: Path, digests: DigestCache) -> None:
    """Make the files `names` in the folder `wanted` the same as those in `made`, see `deliver`."""
    sweep_temporaries(wanted)
    for name in names:
        _same(made / name, wanted / name, digests)


def deliver(made: Path, wanted: Path, digests: DigestCache) -> None:
    """Make `wanted` the same as `made`; nothing is written when it already is.

    A file of its own: whoever edits it in place does not change what the run keeps.
    """
    sweep_temporaries(wanted.parent)
    _same(made, wanted, digests)


def _same(made: Path, wanted: Path, digests: DigestCache) -> None:
    if wanted.is_file() and not wanted.samefile(made) and digests.file(wanted) == digests.file(made):
        return
    clone_or_copy(made, wanted)


class Deliveries:
    """What runs of one name put into their output folder, so that what the last one did not make can go.

    Args:
        root: the output folder.
        name: of the runs.
        digests: of the run.
        idle: deliver nothing, because the run is only planned.
    """

    def __init__(self, root: Path, name: str, digests: DigestCache, idle: bool = False) -> None:
        self._idle = idle
        self._root = root
        self._list = root / ".maskflow" / f"delivered_{name}.json"
        self._digests = digests
        self._made: set[str] = set()
        self._known = self._load()

    def _load(self) -> set[str]:
        try:
            return {str(name) for name in json.loads(self._list.read_text(encoding="utf-8"))}
        except (OSError, ValueError, TypeError):
            return set()

    def add(self, made: Path, *place: str) -> None:
        """Deliver a file to a place below the output folder; see `deliver`."""
        if self._idle:
            return
        wanted = inside(self._root, *place)
        self._note("/".join(place))
        deliver(made, wanted, self._digests)

    def text(self, text: str, name: str, executable: bool = False) -> None:
        """Write a text there."""
        self._note(name)
        write_text(inside(self._root, name), text, executable)

    def _note(self, name: str) -> None:
        self._made.add(name)
        if name not in self._known:  # before it is there, so that a killed run leaves nothing unknown
            self._known.add(name)
            self._save()

    def finish(self) -> None:
        """Remove what earlier runs of this name left and this one did not make, and folders that are empty then."""
        for name in self._known - self._made:
            path = inside(self._root, name)
            path.unlink(missing_ok=True)
            if path.parent != self._root and path.parent.is_dir() and not any(path.parent.iterdir()):
                path.parent.rmdir()
        self._known = set(self._made)
        self._save()

    def _save(self) -> None:
        write_text(self._list, json.dumps(sorted(self._known), ensure_ascii=False, indent=0) + "\n")
