"""What items are made from: files here, or at addresses; known by their content, brought here ahead of the slots."""

import re
import threading
from collections.abc import Callable, Iterable, Sequence
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
from core.addresses.remote import AddressError, NotThere, RemoteFile
from core.addresses.tree import fetch_tree, files_below
from core.errors import RefusedInput
from core.progress import Progress
from core.store.digests import DigestCache
from core.video.image_file import natural_key
from core.video.video_paths import VIDEO_SUFFIXES
from tasks.items import Item
from tasks.preparing import Inputs, Unknown
from tasks.reporting.progress import StageProgress
from tasks.store import RunStore

_PATTERN = re.compile(r"[*?\[]")
_ASKED_AT_ONCE = 16
_AHEAD = 64
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
        self._held: dict[str, str] = {}

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
        if address is None:
            return 0
        digest = _known(address, self._store)
        return 0 if digest is not None and fetch_cache().find(digest, name_of(address)) else int(item.cost)

    def supply(self, item: Item, report: Progress) -> Item:
        """See `Inputs.supply`."""
        address = as_address(item.request[self._name])
        return item if address is None else self._fetched(item, address, report)

    def release(self, item: Item) -> None:
        """See `Inputs.release`."""
        digest = self._held.pop(item.name, None)
        if digest is not None:
            fetch_cache().release(digest)
            self._ahead.leave(item.cost)

    def _with(self, item: Item, digest: str, path: Path | None = None) -> Item:
        request: dict[str, Any] = item.request if path is None else {**item.request, self._name: str(path)}
        inputs = {**item.inputs, self._name: digest} if self._keyed else item.inputs
        return replace(item, inputs=inputs, request=request)

    def _fetched(self, item: Item, address: str, report: Progress) -> Item:
        self._ahead.enter(item.cost, lambda: report(0, None))
        try:
            found = bring(address, report)
        except BaseException:
            self._ahead.leave(item.cost)
            raise
        self._held[item.name] = found.sha256
        _sources[str(found.path)] = address
        if self._store.remote is not None and address in _seen:
            self._store.remote.note_digest(_seen[address], found.sha256)
        before = item.inputs.get(self._name, found.sha256) if self._keyed else found.sha256
        if before != found.sha256:
            raise AddressError(f"{address}: it has changed since this run began; run it again")
        return self._with(item, found.sha256, found.path)


class Files(Content):
    """Only brings the files here that requests name as `name`: the inputs are complete without."""

    def __init__(self, store: RunStore, name: str) -> None:
        super().__init__(store, name, keyed=False)


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
    """So many items may be here before they are made, and so many bytes: a quarter of the cache."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._items, self._bytes = 0, 0.0
        self._most_bytes = _AHEAD_SHARE * cache_limit_bytes()

    def enter(self, size: float, waiting: Callable[[], None]) -> None:
        """Wait until there is room; `waiting` is called meanwhile, and may raise."""
        with self._changed:
            while self._items and (self._items >= _AHEAD or self._bytes + size > self._most_bytes):
                self._changed.wait(0.2)
                waiting()
            self._items += 1
            self._bytes += size

    def leave(self, size: float) -> None:
        """An item has been made."""
        with self._changed:
            self._items -= 1
            self._bytes -= size
            self._changed.notify_all()


_seen: dict[str, RemoteFile] = {}
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
        if _PATTERN.search(address) and protocol_of(address) not in WEB:
            return "nothing there matches this pattern"
        try:
            if address not in _seen:
                try:
                    _seen[address] = remote_of(address).info(address)
                except NotThere:
                    return sum(file.size or 0 for file in files_below(remote_of(address), address).values())
            return _seen[address].size or 0
        except AddressError as error:
            return str(error).removeprefix(f"{address}: ")

    wanted = list(dict.fromkeys(addresses))
    with ThreadPoolExecutor(_ASKED_AT_ONCE, "look") as threads:
        return dict(zip(wanted, threads.map(one, wanted), strict=True))


def source_of(path: Path | str) -> tuple[str, int]:
    """What a request calls a video, its resolved path or its address; and its size in bytes.

    Raises:
        OSError, ValueError, RuntimeError: it is not there; `AddressError`, `RefusedInput`: of an address.
    """
    if not is_address(path):
        here = Path(path).expanduser()
        return str(here.resolve()), media_bytes(here)
    address = check_address("video", path)
    size = look([address])[address]
    if isinstance(size, str):
        raise AddressError(size)
    return address, size


def videos_at(address: str) -> list[str]:
    """The videos that an address means: itself, those that its pattern names, or that are in its folder.

    A folder of images, and none of videos, is one video.

    Raises:
        AddressError: there is none, or it cannot be looked into.
    """
    remote = remote_of(address)
    if not _PATTERN.search(address):
        try:
            note_seen([remote.info(address)])
            return [address]
        except NotThere as missing:
            try:
                found = files_below(remote, address).values()
            except NotThere:
                raise missing from None
            direct = [one for one in found if "/" not in one.address.removeprefix(address.rstrip("/") + "/")]
    else:
        direct = remote.files(address)
    videos = [one for one in direct if PurePosixPath(one.address).suffix.lower() in VIDEO_SUFFIXES]
    note_seen(videos)
    if not videos and _PATTERN.search(address):
        raise NotThere(f"{address}: no video there is called so")
    return sorted((one.address for one in videos), key=natural_key) or [address.rstrip("/")]


def note_seen(files: Iterable[RemoteFile]) -> None:
    """What a listing has said of files need not be asked again."""
    _seen.update((file.address, file) for file in files)


def _known(address: str, store: RunStore) -> str | None:
    """The digest of an address's content, where this version has been fetched before: here, or by a run like this."""
    try:
        file = _seen.get(address) or remote_of(address).info(address)
    except NotThere:  # a folder
        return None
    return fetch_cache().known(file) or (None if store.remote is None else store.remote.digest_of(file))


def bring(address: str, report: Progress = lambda *_: None) -> Fetched:
    """Make sure that a file or folder at an address is here, and in use until its content is released."""
    remote = remote_of(address)
    try:
        return fetch(fetch_cache(), remote, address, report)
    except NotThere as missing:
        try:
            return fetch_tree(fetch_cache(), remote, address, report)
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
    except AddressError as error:
        raise RefusedInput.unusable(parameter, address, str(error)) from None


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
