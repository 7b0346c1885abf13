"""What items are made from: files here, or at addresses; known by their content, brought here ahead of the slots."""

import re
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any

from core.addresses.address import WEB, as_address, check_address, is_address, name_of, protocol_of
from core.addresses.cache import FetchCache, cache_folder, cache_limit_bytes
from core.addresses.fetching import Fetched, fetch
from core.addresses.opening import remote_of
from core.addresses.remote import AddressError, NotThere, RemoteFile, again
from core.addresses.tree import fetch_tree, files_below
from core.errors import RefusedInput, reason_of
from core.progress import Progress
from core.store.digests import DigestCache
from core.video.image_file import SUFFIXES, natural_key
from core.video.video_paths import VIDEO_SUFFIXES
from tasks.items import Item
from tasks.preparing import Inputs, Unknown
from tasks.reporting.progress import StageProgress
from tasks.store import RunStore

_PATTERN = re.compile(r"[*?]")
_ASKED_AT_ONCE = 16
_AHEAD = 64
_LEAST_AHEAD = 4
_LISTED = 64
_AHEAD_SHARE = 0.25


@cache
def fetch_cache() -> FetchCache:
    """That of this process."""
    return FetchCache(cache_folder(), cache_limit_bytes())


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
        digest = _known(address, self._store)
        return self._with(item, digest) if digest is not None else self._fetched(item, address, report)

    def peek(self, item: Item, report: Progress) -> Item:
        """See `Inputs.peek`: nothing is fetched."""
        address = as_address(item.request[self._name])
        if address is None or not self._keyed:
            return self.identify(item, report)
        digest = _known(address, self._store)
        if digest is None:
            raise Unknown(f"{address} has not been fetched yet")
        return self._with(item, digest)

    def fetch_bytes(self, item: Item) -> int:
        """See `Inputs.fetch_bytes`."""
        address = as_address(item.request[self._name])
        if address is None or address in self._counted:
            return 0
        self._counted.add(address)
        digest = _known(address, self._store)
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
        _sources[str(found.path)] = address
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
                    _sources[str(found.path)] = address
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


_seen: dict[str, RemoteFile] = {}
_sizes: dict[str, int] = {}
_unreadable: dict[str, str] = {}
_sources: dict[str, str] = {}


def sources_in(value: object) -> dict[str, str]:
    """The addresses of fetched files that a request names, by their paths; of files in a fetched folder, theirs."""
    if isinstance(value, str):
        for path in (value, *map(str, Path(value).parents)) if value.startswith("/") else ():
            if path in _sources:
                return {value: _sources[path] + value.removeprefix(path)}
        return {}
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    return {path: address for one in inner for path, address in sources_in(one).items()}


def look(addresses: Iterable[str]) -> dict[str, int | str]:
    """The size in bytes of what is at each address, several asked at once; the reason for each that cannot be read."""

    def one(address: str) -> int | str:
        try:
            return size_of(address)
        except AddressError as error:
            return str(error).removeprefix(f"{address}: ")

    wanted = list(dict.fromkeys(addresses))
    with ThreadPoolExecutor(_ASKED_AT_ONCE, "look") as threads:
        return dict(zip(wanted, threads.map(one, wanted), strict=True))


def size_of(address: str) -> int:
    """Bytes of a file at an address, or of those directly in a folder; asked once. Raises `AddressError`."""
    if address in _unreadable:
        raise AddressError(f"{address}: {_unreadable[address]}")
    if address not in _sizes:
        remote = remote_of(address)
        try:
            file = again(lambda: remote.info(address), time.sleep)
            _seen[address] = file
            _sizes[address] = file.size or 0
        except NotThere:
            found = again(lambda: files_below(remote, address, deep=False), time.sleep)
            _sizes[address] = sum(one.size or 0 for one in found.values())
    return _sizes[address]


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


def videos_at(address: str) -> list[str]:
    """The videos that an address means: itself, those that its pattern names, or that are in its folder.

    A folder of images, and none of videos, is one video.

    Raises:
        AddressError: there is none, or it cannot be looked into.
    """
    remote = remote_of(address)
    if protocol_of(address) in WEB or (PurePosixPath(address).suffix and not _PATTERN.search(address)):
        return [address]  # its item says what is wrong with it
    if _PATTERN.search(address):
        direct = again(lambda: remote.matching(address), time.sleep)
        if not direct:
            raise NotThere(f"{address}: nothing there matches this pattern")
    else:
        direct = list(again(lambda: files_below(remote, address, deep=False), time.sleep).values())
    videos = [one for one in direct if PurePosixPath(one.address).suffix.lower() in VIDEO_SUFFIXES]
    if not videos and not any(PurePosixPath(one.address).suffix.lower() in SUFFIXES for one in direct):
        raise NotThere(f"{address}: there is no video and no image directly there; `**/*.mp4` finds deeper ones")
    for one in videos:  # need not be asked again
        _seen[one.address] = one
        _sizes[one.address] = one.size or 0
    return sorted((one.address for one in videos), key=natural_key) or [address.rstrip("/")]


def note_unreadable(address: str, error: Exception) -> None:
    """What an address means cannot be found out: its item has failed for that reason."""
    _unreadable[address] = str(error).removeprefix(f"{address}: ")


def _known(address: str, store: RunStore) -> str | None:
    """The digest of an address's content, where this version has been fetched before: here, or by a run like this."""
    try:
        file = _seen.get(address) or again(lambda: remote_of(address).info(address), time.sleep)
    except NotThere:  # a folder
        return None
    return fetch_cache().known(file) or (None if store.remote is None else store.remote.digest_of(file))


def bring(address: str, report: Progress = lambda *_: None, deep: bool = True) -> Fetched:
    """Make sure that a file or folder at an address is here, and in use until its content is released.

    `deep`: of a folder also what is in folders below it.
    """
    there = _unversioned.get(address)
    if there is not None and fetch_cache().hold(there.sha256, there.path.name) is not None:
        return there  # nobody can tell whether it has changed: it is read once a run
    found = _brought(address, report, deep)
    if found.file is not None and not found.file.version:
        _unversioned[address] = found
    return found


def _brought(address: str, report: Progress, deep: bool) -> Fetched:
    remote = remote_of(address)
    try:
        return fetch(fetch_cache(), remote, address, report)
    except NotThere as missing:
        try:
            return fetch_tree(fetch_cache(), remote, address, report, deep)
        except AddressError:
            raise missing from None


def brought(parameter: str, path: Path, report: Progress) -> Path:
    """A file or folder that a parameter names, here until this process ends.

    Raises:
        RefusedInput: it is at no address that can be used, or cannot be read there.
    """
    if not is_address(path):
        return path
    address = check_address(parameter, path)
    try:
        here = bring(address, report).path
        _origins[here] = address
        _sources[str(here)] = address
        return here
    except (AddressError, OSError) as error:
        raise RefusedInput.unusable(parameter, address, reason_of(error)) from None


_unversioned: dict[str, Fetched] = {}
_origins: dict[Path, str] = {}


def origin_of(path: Path) -> str:
    """What a person called a file or folder that a parameter names: its address, or its path."""
    return _origins.get(path, str(path))


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
