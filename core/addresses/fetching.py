"""Bringing a file here: from where it broke off, checked, and only once."""

import hashlib
import os
import time
from dataclasses import dataclass
from pathlib import Path

from core.addresses.address import name_of
from core.addresses.cache import FetchCache
from core.addresses.remote import AddressError, Changed, Interrupted, Pause, Remote, RemoteFile, again
from core.progress import Progress

_PAUSES_S = (0.5, 1.0, 2.0, 4.0, 8.0)
_MOST_CHANGES = 3


@dataclass(frozen=True)
class Fetched:
    """A file that is here: its place in the cache, and what it holds. It is in use until its content is released.

    `file`: what it was when it was read; None: a folder.
    """

    path: Path
    sha256: str
    file: RemoteFile | None = None


def fetch(cache: FetchCache, remote: Remote, address: str, report: Progress, pause: Pause = time.sleep) -> Fetched:
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
    with cache.fetching(address, lambda: report(0, None)):
        for _ in range(_MOST_CHANGES):
            file = again(lambda: remote.info(address), pause)
            digest = cache.known(file)
            there = None if digest is None else cache.hold(digest, name_of(address))
            if digest is not None and there is not None:
                return Fetched(there, digest, file)
            try:
                return _fetched(cache, remote, file, report, pause)
            except Changed:
                cache.part(file).unlink(missing_ok=True)
    raise AddressError(f"{address}: it changed {_MOST_CHANGES} times while it was read; try again when it is complete")


def _fetched(cache: FetchCache, remote: Remote, file: RemoteFile, report: Progress, pause: Pause) -> Fetched:
    part = cache.part(file)
    cache.make_room(file.size or 0)
    try:
        _read_all(remote, file, part, report, pause)
        digest, md5 = _digests(part)
        _check_unchanged(remote, file, pause)
        if file.md5 and md5 != file.md5:  # it is not the MD5 where storage encrypts; two readings do not err alike
            part.unlink()
            _read_all(remote, file, part, report, pause)
            _check_unchanged(remote, file, pause)
            if _digests(part)[0] != digest:
                raise AddressError(f"{file.address}: two readings of it differ: try again")
    except OSError as error:
        remedy = f"make room, or set MASKFLOW_FETCH_CACHE to another folder than {cache.root}"
        raise AddressError(f"{file.address}: it cannot be kept here ({error.strerror or error}): {remedy}") from None
    name = name_of(file.address)
    path = cache.hold(digest, name)
    if path is None:
        cache.use(digest)
        path = cache.add(part, digest, name)
    part.unlink(missing_ok=True)
    cache.note(file, digest)
    return Fetched(path, digest, file)


def _check_unchanged(remote: Remote, file: RemoteFile, pause: Pause) -> None:
    if again(lambda: remote.info(file.address), pause) != file:
        raise Changed(f"{file.address}: it changed while it was read")


def _read_all(remote: Remote, file: RemoteFile, part: Path, report: Progress, pause: Pause) -> None:
    """Until all of it is in `part`. Too many tries after which no more of it is there than ever before end it.

    Without a version nobody can tell whether the rest belongs to what is there: it is read from its start each time.
    """
    pauses, most = list(_PAUSES_S), 0
    while True:
        there = part.stat().st_size if part.exists() and file.version else 0
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
        if file.size is not None and now > file.size:
            raise Changed(f"{file.address}: more came than is there")
        if now > most:
            pauses, most = list(_PAUSES_S), now
        if not pauses:
            raise AddressError(f"{file.address}: it cannot be read: {reason}; what came is kept for the next try")
        pause(pauses.pop(0))


def _append(remote: Remote, file: RemoteFile, part: Path, there: int, report: Progress) -> None:
    handle = os.open(part, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        pieces = remote.read(file, there)
        for place, piece in pieces:
            if place == 0:  # all of it, from the start: perhaps the server does not know ranges
                os.ftruncate(handle, 0)
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
