"""The local cache of what was fetched, by content: the same bytes under another address are there already.

Below its folder: `objects/SHA256/NAME`, the bytes; `known/`, which content an address had in which version; `part/`,
what is not whole yet; `in_use/`, what running processes need now. The longest unused goes where the cache grows over
its limit, but nothing that is in use.
"""

import fcntl
import json
import os
import shutil
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from core.addresses.remote import RemoteFile
from core.errors import MaskflowError
from core.store.atomic import write_text
from core.store.lock import exclusive
from core.store.paths import slugify

FOLDER_VARIABLE, LIMIT_VARIABLE = "MASKFLOW_FETCH_CACHE", "MASKFLOW_FETCH_CACHE_GIB"
_USUAL_GIB = 100.0
_GIB = 2**30
_PART_S = 7 * 86_400.0


@dataclass(frozen=True)
class CachedObject:
    """One content in the cache: its folder, size, when it was used last (seconds since 1970), and whether it is now."""

    sha256: str
    size_bytes: int
    used_s: float
    in_use: bool


def cache_folder() -> Path:
    """Where fetched files are kept: `MASKFLOW_FETCH_CACHE`, or in the user's cache folder."""
    usual = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "maskflow" / "fetched"
    return Path(os.environ.get(FOLDER_VARIABLE) or usual)


def cache_limit_bytes() -> int:
    """`MASKFLOW_FETCH_CACHE_GIB`, or 100 GiB. Raises `MaskflowError` where that is no number."""
    given = os.environ.get(LIMIT_VARIABLE)
    try:
        return int(float(given or _USUAL_GIB) * _GIB)
    except ValueError:
        raise MaskflowError(f"{LIMIT_VARIABLE} = {given!r} is not a number of GiB") from None


class FetchCache:
    """The cache of this process; several processes may use one folder.

    Args:
        root: its folder.
        limit_bytes: what it may hold; what is in use counts, and may be more.
    """

    def __init__(self, root: Path, limit_bytes: int) -> None:
        self.root = root
        self._limit = limit_bytes
        self._lock = threading.Lock()
        self._uses: Counter[str] = Counter()
        self._leaf = root / "in_use" / f"{os.getpid()}-{uuid.uuid4().hex[:8]}"
        self._handle: int | None = None

    def known(self, file: RemoteFile) -> str | None:
        """The content that an address had in this version, where it was fetched before: its SHA-256."""
        if not file.version:
            return None
        try:
            kept = json.loads(self._note(file.address).read_text(encoding="utf-8"))
            return str(kept["sha256"]) if kept["version"] == file.version and kept["size"] == file.size else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def note(self, file: RemoteFile, digest: str) -> None:
        """Remember an address's content."""
        kept = {"address": file.address, "version": file.version, "size": file.size, "sha256": digest}
        write_text(self._note(file.address), json.dumps(kept))

    def find(self, digest: str, name: str) -> Path | None:
        """The bytes with this digest, as a file of this name; None where they are not there."""
        folder = self._object(digest)
        wanted = folder / _file_name(name)
        try:
            there = wanted if wanted.exists() else next(folder.iterdir())
            if there != wanted:
                os.link(there, wanted)
            os.utime(folder)
        except (OSError, StopIteration):
            return None
        return wanted

    def add(self, made: Path, digest: str, name: str) -> Path:
        """Take in a file, by moving it; its place."""
        folder = self._object(digest)
        folder.mkdir(parents=True, exist_ok=True)
        return made.replace(folder / _file_name(name))

    def part(self, file: RemoteFile) -> Path:
        """Where what is not whole yet is written; of an address without version always anew."""
        part = self.root / "part" / _digest(f"{file.address} {file.version} {file.size}")
        part.parent.mkdir(parents=True, exist_ok=True)
        if not file.version:
            part.unlink(missing_ok=True)
        return part

    @contextmanager
    def fetching(self, address: str, waiting: Callable[[], None]) -> Iterator[None]:
        """One at a time fetches an address, also of several processes; who waits calls `waiting`, which may raise."""
        with exclusive(self.root / "part" / f"fetching-{_digest(address)}", waiting):
            yield

    def use(self, digest: str) -> None:
        """This process needs a content from now on, until `release` was called as often."""
        with self._lock:
            self._uses[digest] += 1
            if self._uses[digest] == 1:
                self._write(f"+{digest}\n")

    def release(self, digest: str) -> None:
        """It needs it no more."""
        with self._lock:
            self._uses[digest] -= 1
            if self._uses[digest] <= 0:
                del self._uses[digest]
                self._write(f"-{digest}\n")

    def _write(self, line: str) -> None:
        if self._handle is None:
            self._leaf.parent.mkdir(parents=True, exist_ok=True)
            self._handle = os.open(self._leaf, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._handle, fcntl.LOCK_SH)  # as long as this process lives
        os.write(self._handle, line.encode("ascii"))

    def objects(self) -> list[CachedObject]:
        """What is there, the longest unused first."""
        used = self._in_use()
        found = []
        with suppress(FileNotFoundError):
            for folder in (self.root / "objects").iterdir():
                with suppress(OSError):  # another process may be removing it
                    size = max((_size(one) for one in folder.iterdir()), default=0)
                    found.append(CachedObject(folder.name, size, folder.stat().st_mtime, folder.name in used))
        return sorted(found, key=lambda one: (one.used_s, one.sha256))

    def hold(self, digest: str, name: str) -> Path | None:
        """Like `find`, and it is in use from now on, see `use`; nobody removes it in between."""
        with exclusive(self.root / "room"):
            self.use(digest)
            there = self.find(digest, name)
        if there is None:
            self.release(digest)
        return there

    def make_room(self, size: int) -> None:
        """Remove what was not used for longest, until so many more bytes are within the limit."""
        self._remove_old_parts()
        self.remove(self.prunable(max_bytes=max(0, self._limit - size)))

    def _remove_old_parts(self) -> None:
        """What nobody has gone on with for a week."""
        for part in (self.root / "part").glob("*"):
            with suppress(OSError):
                if time.time() - part.stat().st_mtime > _PART_S:
                    part.unlink()

    def prunable(self, max_bytes: int | None = None, older_than_s: float | None = None) -> list[CachedObject]:
        """What can go: the longest unused until the rest is no larger, and what was not used for so long."""
        there = self.objects()
        left, now_s = sum(one.size_bytes for one in there), time.time()
        chosen = []
        for one in there:
            old = older_than_s is not None and now_s - one.used_s > older_than_s
            too_much = max_bytes is not None and left > max_bytes
            if (old or too_much) and not one.in_use:
                left -= one.size_bytes
                chosen.append(one)
        return chosen

    def remove(self, objects: Iterable[CachedObject]) -> None:
        """Remove contents, but none that has come into use meanwhile."""
        chosen = list(objects)
        if not chosen:
            return
        with exclusive(self.root / "room"):
            used = self._in_use()
            for one in chosen:
                if one.sha256 not in used:
                    shutil.rmtree(self._object(one.sha256), ignore_errors=True)

    def _in_use(self) -> set[str]:
        """By any process that is alive; what dead ones have left is removed."""
        used: set[str] = set()
        for leaf in (self.root / "in_use").glob("*"):
            try:
                with leaf.open("r+", encoding="ascii") as lines:
                    if leaf != self._leaf and _is_left(lines.fileno()):
                        leaf.unlink()
                        continue
                    for line in lines.read().split():
                        (used.add if line[0] == "+" else used.discard)(line[1:])
            except OSError:
                continue
        with self._lock:
            return used | set(self._uses)

    def _object(self, digest: str) -> Path:
        return self.root / "objects" / digest

    def _note(self, address: str) -> Path:
        return self.root / "known" / f"{_digest(address)}.json"


def _size(path: Path) -> int:
    if path.is_dir():  # a folder that was fetched
        return sum(one.stat().st_size for one in path.rglob("*") if one.is_file())
    return path.stat().st_size


def _is_left(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:32]


def _file_name(name: str) -> str:
    return slugify(name, "file")
