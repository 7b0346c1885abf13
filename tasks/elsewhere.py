"""What is at addresses: its size, its content, the videos it means; and bringing it here."""

import re
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path, PurePosixPath

from core.addresses.address import WEB, check_address, is_address, protocol_of
from core.addresses.cache import FetchCache, cache_folder, cache_limit_bytes
from core.addresses.fetching import Fetched, fetch
from core.addresses.opening import remote_of
from core.addresses.remote import AddressError, NotThere, RemoteFile, again
from core.addresses.tree import fetch_tree, files_below
from core.errors import RefusedInput, reason_of
from core.progress import Progress
from core.video.image_file import SUFFIXES, natural_key
from core.video.video_paths import VIDEO_SUFFIXES
from tasks.store import RunStore

_PATTERN = re.compile(r"[*?]")
_ASKED_AT_ONCE = 16


@dataclass
class _Run:
    """What this process has learnt of addresses since its present run began.

    Attributes:
        seen: files that were asked for, or listed; sizes: in bytes, also of folders.
        unreadable: why an address cannot be read.
        sources: the addresses of fetched files and folders, by their paths; origins: those that parameters named.
        unversioned: files of which nobody can tell whether they have changed: they are read once a run.
    """

    seen: dict[str, RemoteFile] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    unreadable: dict[str, str] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)
    origins: dict[Path, str] = field(default_factory=dict)
    unversioned: dict[str, Fetched] = field(default_factory=dict)


@cache
def _run() -> _Run:
    return _Run()


def begin_run() -> None:
    """Whatever is at addresses may have changed since the last run."""
    _run.cache_clear()
    _run()  # made here, once: threads ask for it next


@cache
def fetch_cache() -> FetchCache:
    """That of this process."""
    return FetchCache(cache_folder(), cache_limit_bytes())


def sources_in(value: object) -> dict[str, str]:
    """The addresses of fetched files that a request names, by their paths; of files in a fetched folder, theirs."""
    if isinstance(value, str):
        for path in (value, *map(str, Path(value).parents)) if value.startswith("/") else ():
            if path in _run().sources:
                return {value: _run().sources[path] + value.removeprefix(path)}
        return {}
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    return {path: address for one in inner for path, address in sources_in(one).items()}


def note_source(path: Path, address: str) -> None:
    """A file or folder has been fetched from an address."""
    _run().sources[str(path)] = address


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
    if address in _run().unreadable:
        raise AddressError(f"{address}: {_run().unreadable[address]}")
    if address not in _run().sizes:
        remote = remote_of(address)
        try:
            file = again(lambda: remote.info(address), time.sleep)
            _run().seen[address] = file
            _run().sizes[address] = file.size or 0
        except NotThere:
            found = again(lambda: files_below(remote, address, deep=False), time.sleep)
            _run().sizes[address] = sum(one.size or 0 for one in found.values())
    return _run().sizes[address]


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
        _run().seen[one.address] = one
        _run().sizes[one.address] = one.size or 0
    return sorted((one.address for one in videos), key=natural_key) or [address.rstrip("/")]


def note_unreadable(address: str, error: Exception) -> None:
    """What an address means cannot be found out: its item has failed for that reason."""
    _run().unreadable[address] = str(error).removeprefix(f"{address}: ")


def known_digest(address: str, store: RunStore) -> str | None:
    """The digest of an address's content, where this version has been fetched before: here, or by a run like this."""
    try:
        file = _run().seen.get(address) or again(lambda: remote_of(address).info(address), time.sleep)
    except NotThere:  # a folder
        return None
    return fetch_cache().known(file) or (None if store.remote is None else store.remote.digest_of(file))


def bring(address: str, report: Progress = lambda *_: None, deep: bool = True) -> Fetched:
    """Make sure that a file or folder at an address is here, and in use until its content is released.

    `deep`: of a folder also what is in folders below it.
    """
    there = _run().unversioned.get(address)
    if there is not None and fetch_cache().hold(there.sha256, there.path.name) is not None:
        return there  # nobody can tell whether it has changed: it is read once a run
    found = _brought(address, report, deep)
    if found.file is not None and not found.file.version:
        _run().unversioned[address] = found
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
        _run().origins[here] = address
        note_source(here, address)
        return here
    except (AddressError, OSError) as error:
        raise RefusedInput.unusable(parameter, address, reason_of(error)) from None


def origin_of(path: Path) -> str:
    """What a person called a file or folder that a parameter names: its address, or its path."""
    return _run().origins.get(path, str(path))
