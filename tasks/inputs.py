"""What items are made from: files here, or at addresses; known by their content, brought here ahead of the slots."""

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from core.addresses.address import as_address, check_address, is_address, name_of
from core.addresses.cache import cache_limit_bytes
from core.addresses.remote import AddressError
from core.progress import Progress
from core.store.digests import DigestCache
from tasks.elsewhere import bring, fetch_cache, known_digest, note_source, size_of
from tasks.items import Item
from tasks.preparing import Inputs, Unknown
from tasks.reporting.progress import StageProgress
from tasks.store import RunStore

_AHEAD = 64
_LEAST_AHEAD = 4
_LISTED = 64
_AHEAD_SHARE = 0.25


class Content(Inputs):
    """Completes items: under `name`, the digest of what the request calls so; and of an address, a file here.

    What is fetched is so far ahead of what is made that no slot waits, and no further than the cache has room for.

    Args:
        store: of the run.
        name: of the request, and of the inputs.
        keyed: the inputs get the digest; else they are complete without.
    """

    def __init__(self, store: RunStore, name: str, keyed: bool = True) -> None:
        self._store = store
        self._name = name
        self._keyed = keyed
        self._ahead = _Ahead()
        self._held: dict[str, tuple[str | None, int]] = {}
        self._lock = threading.Lock()
        self._counted: set[str] = set()

    def identify(self, item: Item, report: Progress) -> Item:
        """See `Inputs.identify`: an address's content is known by its version, or by fetching it."""
        address = as_address(item.request[self._name])
        if address is None:
            if not self._keyed:
                return item
            return self._with(item, self._store.digests.content(Path(item.request[self._name]), report))
        if not self._keyed:
            return item
        digest = known_digest(address, self._store)
        return self._with(item, digest) if digest is not None else self._fetched(item, address, report)

    def peek(self, item: Item, report: Progress) -> Item:
        """See `Inputs.peek`: nothing is fetched."""
        address = as_address(item.request[self._name])
        if address is None or not self._keyed:
            return self.identify(item, report)
        digest = known_digest(address, self._store)
        if digest is None:
            raise Unknown(f"{address} has not been fetched yet")
        return self._with(item, digest)

    def fetch_bytes(self, item: Item) -> int:
        """See `Inputs.fetch_bytes`."""
        address = as_address(item.request[self._name])
        if address is None or address in self._counted:
            return 0
        self._counted.add(address)
        digest = known_digest(address, self._store)
        return 0 if digest is not None and fetch_cache().find(digest, name_of(address)) else size_of(address)

    def supply(self, item: Item, report: Progress) -> Item:
        """See `Inputs.supply`."""
        address = as_address(item.request[self._name])
        return item if address is None else self._fetched(item, address, report)

    def release(self, item: Item) -> None:
        """See `Inputs.release`."""
        with self._lock:
            digest, size = self._held.pop(item.name, (None, 0))
        if digest is not None:
            fetch_cache().release(digest)
            self._ahead.leave(size)

    def _with(self, item: Item, digest: str, path: Path | None = None) -> Item:
        request: dict[str, Any] = item.request if path is None else {**item.request, self._name: str(path)}
        inputs = {**item.inputs, self._name: digest} if self._keyed else item.inputs
        return replace(item, inputs=inputs, request=request)

    def _fetched(self, item: Item, address: str, report: Progress) -> Item:
        size = size_of(address) if item.after is None else 0  # what waits for another must not keep that from coming
        if size:
            self._ahead.enter(size, max(_LEAST_AHEAD, 2 * self.slots), lambda: report(0, None))
        try:
            found = bring(address, report, deep=False)
        except BaseException:
            self._ahead.leave(size)
            raise
        with self._lock:
            self._held[item.name] = (found.sha256, size)
        note_source(found.path, address)
        if self._store.remote is not None and found.file is not None:
            self._store.remote.note_digest(found.file, found.sha256)
        if self._expected(item) not in (None, found.sha256):
            self.release(item)
            raise AddressError(f"{address}: it has changed since this run began; run it again")
        return self._with(item, found.sha256, found.path)

    def _expected(self, item: Item) -> str | None:
        """The digest that an item's other inputs belong to."""
        return item.inputs.get(self._name)


class Files(Content):
    """Only brings the files here that requests name as `name`: the inputs are complete without.

    `contents`: the digest of each, by item, where it is not in the inputs under that name.
    """

    def __init__(self, store: RunStore, name: str, contents: Mapping[str, str] | None = None) -> None:
        super().__init__(store, name, keyed=False)
        self._contents = contents or {}

    def _expected(self, item: Item) -> str | None:
        return self._contents.get(item.name) or super()._expected(item)


class ListedFiles(Inputs):
    """Brings the files here that the first members of a list in the request name, as for their pictures."""

    def __init__(self, members: str, name: str) -> None:
        self._members = members
        self._name = name
        self._held: list[str] = []

    def supply(self, item: Item, report: Progress) -> Item:
        """See `Inputs.supply`; one that is not to be had has no picture."""
        members = [dict(one) for one in item.request[self._members]]
        for one in members[:_LISTED]:
            address = as_address(one[self._name])
            if address is not None:
                with suppress(AddressError):
                    found = bring(address, report)
                    self._held.append(found.sha256)
                    note_source(found.path, address)
                    one[self._name] = str(found.path)
        return replace(item, request={**item.request, self._members: members})

    def release(self, item: Item) -> None:  # noqa: ARG002
        """See `Inputs.release`."""
        while self._held:
            fetch_cache().release(self._held.pop())


class _Ahead:
    """So many items may be here before they have been made, and so many bytes: a quarter of the cache."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._items, self._bytes = 0, 0.0
        self._most_bytes = _AHEAD_SHARE * cache_limit_bytes()

    def enter(self, size: int, least: int, waiting: Callable[[], None]) -> None:
        """Wait until there is room, as there is for `least` items in any case; `waiting` is called meanwhile."""
        with self._changed:
            while self._items >= least and (self._items >= _AHEAD or self._bytes + size > self._most_bytes):
                self._changed.wait(0.2)
                waiting()
            self._items += 1
            self._bytes += size

    def leave(self, size: int) -> None:
        """An item has been made; one of size 0 has not entered."""
        if not size:
            return
        with self._changed:
            self._items -= 1
            self._bytes -= size
            self._changed.notify_all()


def read_files(digests: DigestCache, paths: Sequence[Path]) -> None:
    """Learn the digests of many files before items are made of them."""
    progress = StageProgress("read inputs", float(len(paths)), len(paths))
    progress.known("files", "files", float(len(paths)))

    def report(done: int, expected: int | None) -> None:
        progress.frames("files", done, expected)
        progress.show()

    digests.read(paths, report)
    progress.finished("files")
    progress.show(last=True)


def source_of(path: Path | str) -> tuple[str, int]:
    """What a request calls a video, its resolved path or its address; and its size in bytes.

    Raises:
        OSError, ValueError, RuntimeError: it is not there; `AddressError`, `RefusedInput`: of an address.
    """
    if not is_address(path):
        here = Path(path).expanduser()
        return str(here.resolve()), media_bytes(here)
    address = check_address("video", path)
    return address, size_of(address)


def media_bytes(path: Path) -> int:
    """Size of a video, or of a folder of images: what it costs, roughly.

    Raises:
        OSError: it is not there, or neither a file nor a folder; `strerror` says so.
    """
    if path.is_symlink() and not path.exists():
        raise OSError(0, f"a link to what does not exist ({path.readlink()})")
    if path.is_dir():
        return sum(one.stat().st_size for one in path.iterdir() if one.is_file())
    if path.exists() and not path.is_file():
        raise OSError(0, "not a regular file")
    return path.stat().st_size
