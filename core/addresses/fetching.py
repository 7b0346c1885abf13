"""Bringing a file here: from where it broke off, checked, and only once."""

import hashlib
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from core.addresses.address import name_of
from core.addresses.cache import FetchCache
from core.addresses.remote import AddressError, Changed, Interrupted, Remote, RemoteFile
from core.progress import Progress

Pause = Callable[[float], None]
_PAUSES_S = (0.5, 1.0, 2.0, 4.0, 8.0)
_MOST_CHANGES = 3


@dataclass(frozen=True)
class Fetched:
    """A file that is here: its place in the cache, and what it holds. It is in use until its content is released."""

    path: Path
    sha256: str


def fetch(
    cache: FetchCache, remote: Remote, address: str, report: Progress, pause: Callable[[float], None] = time.sleep
) -> Fetched:
    """Make sure that a file is in the cache.

    A connection that breaks is tried again from where it was, as long as that gets on. A file that changes meanwhile is
    fetched anew.

    Args:
        cache: where it is kept; the content is in use from now on, see `FetchCache.use`.
        remote: where it is.
        address: which file.
        report: gets MiB that are here, and expected; may raise to end it.
        pause: waits between tries.

    Raises:
        AddressError: it cannot be had; what has been fetched is kept for the next try.
    """
    with cache.fetching(address):
        for _ in range(_MOST_CHANGES):
            file = remote.info(address)
            digest = cache.known(file)
            if digest is not None:
                cache.use(digest)
                there = cache.find(digest, name_of(address))
                if there is not None:
                    return Fetched(there, digest)
                cache.release(digest)
            try:
                return _fetched(cache, remote, file, report, pause)
            except Changed:
                cache.part(file).unlink(missing_ok=True)
    raise AddressError(f"{address}: it changed {_MOST_CHANGES} times while it was read; try again when it is complete")


def _fetched(
    cache: FetchCache, remote: Remote, file: RemoteFile, report: Progress, pause: Callable[[float], None]
) -> Fetched:
    part = cache.part(file)
    cache.make_room(file.size or 0)
    try:
        _read_all(remote, file, part, report, pause)
        digest, md5 = _digests(part)
    except OSError as error:
        remedy = f"make room, or set MASKFLOW_FETCH_CACHE to another folder than {cache.root}"
        raise AddressError(f"{file.address}: it cannot be kept here ({error.strerror or error}): {remedy}") from None
    if remote.info(file.address) != file:
        raise Changed(f"{file.address}: it changed while it was read")
    if file.md5 and md5 != file.md5:
        part.unlink(missing_ok=True)
        raise AddressError(f"{file.address}: what came is not what is there (its MD5 differs): try again")
    cache.use(digest)
    path = cache.find(digest, name_of(file.address))
    if path is None:
        path = cache.add(part, digest, name_of(file.address))
    part.unlink(missing_ok=True)
    cache.note(file, digest)
    return Fetched(path, digest)


def _read_all(remote: Remote, file: RemoteFile, part: Path, report: Progress, pause: Pause) -> None:
    """Until all of it is in `part`; tries in vain end it, those that get on do not."""
    pauses = list(_PAUSES_S)
    while True:
        there = part.stat().st_size if part.exists() else 0
        if file.size is not None and there > file.size:
            part.unlink()
            there = 0
        if there == file.size and there > 0:
            return
        try:
            _append(remote, file, part, there, report)
            now = part.stat().st_size
            if file.size is None or now == file.size:
                return
            reason = f"{now} of {file.size} bytes came"
        except Interrupted as error:
            now = part.stat().st_size if part.exists() else 0
            reason = str(error).removeprefix(f"{file.address}: ")
        if now > there:
            pauses = list(_PAUSES_S)
        if not pauses:
            raise AddressError(f"{file.address}: it cannot be read: {reason}; what came is kept for the next try")
        pause(pauses.pop(0))


def _append(remote: Remote, file: RemoteFile, part: Path, there: int, report: Progress) -> None:
    handle = os.open(part, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        pieces = remote.read(file, there)
        for place, piece in pieces:
            if place == 0 and there:  # the server does not know ranges: all of it, from the start
                os.ftruncate(handle, 0)
                there = 0
            os.pwrite(handle, piece, place)
            report((place + len(piece)) >> 20, None if file.size is None else file.size >> 20)
        os.fsync(handle)
    finally:
        os.close(handle)


def _digests(path: Path) -> tuple[str, str]:
    """SHA-256 and MD5."""
    sha, md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
    with path.open("rb", buffering=0) as stream:
        while piece := stream.read(2**22):
            sha.update(piece)
            md5.update(piece)
    return sha.hexdigest(), md5.hexdigest()
