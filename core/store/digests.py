"""Content digests of files and folders, remembered until the files change."""

import hashlib
import json
import os
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from core.progress import Progress
from core.store.atomic import write_text
from core.store.lock import exclusive

# A file changed this recently may change again within its time stamp's granularity (git's "racily clean").
_SETTLED_S = 2.0
_PIECE = 16 * 2**20
_AT_ONCE = 4


def sha256_file(path: Path, report: Progress | None = None) -> str:
    """SHA-256 of the file's bytes, as 64 hex digits; `report` gets MiB read and MiB expected."""
    size = path.stat().st_size
    if report is None or size < _PIECE:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    digest, done = hashlib.sha256(), 0
    with path.open("rb", buffering=0) as stream:
        while piece := stream.read(_PIECE):
            digest.update(piece)
            done += len(piece)
            report(done >> 20, size >> 20)
    return digest.hexdigest()


def sha256_json(value: object) -> str:
    """SHA-256 of a JSON-able value: equal values give equal digests whatever the order of their keys."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def sha256_content(path: Path, of_file: Callable[[Path], str] = sha256_file) -> str:
    """SHA-256 of a file's content, or of a folder's: the names and contents of its direct files."""
    if not path.is_dir():
        return of_file(path)
    files = sorted(p for p in path.iterdir() if p.is_file() and not p.name.startswith("."))
    return sha256_json([[file.name, of_file(file)] for file in files])


class DigestCache:
    """Digests of files, computed once and kept in one JSON file until size, inode or one of the times changes.

    The time of the last change of the inode is among them: `cp -p` and `rsync -a` put another file of the same size and
    modification time in a file's place.

    Args:
        file: where the digests are kept between runs; an unreadable one is simply started anew.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._known = self._load()
        self._changed = False

    def _load(self) -> dict[str, tuple[list[int], str]]:
        try:
            entries = json.loads(self._file.read_text())
            return {str(path): ([int(part) for part in stamp], str(sha)) for path, (stamp, sha) in entries.items()}
        except (OSError, ValueError, TypeError, AttributeError):
            return {}

    def file(self, path: Path, report: Progress | None = None) -> str:
        """SHA-256 of the file's content; `report` gets MiB read and expected where it has to be read."""
        status = path.stat()
        stamp = [status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino]
        name = str(path.resolve())
        with self._lock:
            known = self._known.get(name)
        if known is not None and known[0] == stamp:
            return known[1]
        digest = sha256_file(path, report)
        if time.time() - max(status.st_mtime, status.st_ctime) > _SETTLED_S:
            with self._lock:
                self._known[name] = (stamp, digest)
                self._changed = True
        return digest

    def content(self, path: Path, report: Progress | None = None) -> str:
        """Digest of a file or a folder, see `sha256_content`."""
        return sha256_content(path, lambda file: self.file(file, report))

    def read(self, paths: Iterable[Path], report: Progress | None = None) -> None:
        """Learn the digests of many files, several at once; `report` gets files read and expected.

        What cannot be read is left out: whoever needs it gets the error.
        """
        files = list(paths)

        def one(path: Path) -> None:
            with suppress(OSError):
                self.file(path)

        with ThreadPoolExecutor(_AT_ONCE, "read-inputs") as threads:
            for done, _ in enumerate(threads.map(one, files), 1):
                if report is not None:
                    report(done, len(files))

    def save(self) -> None:
        """Keep what was learnt for the next run. A full disk costs only that."""
        with self._lock:
            if self._changed:
                with suppress(OSError):
                    write_text(self._file, json.dumps(self._known, sort_keys=True))
                self._changed = False


def host_digest(path: Path) -> str:
    """SHA-256 of a file's or a folder's content, computed once on this host, whichever process asks.

    For weights: every device worker makes sure that they are those that were decided upon.
    """
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "maskflow"
    try:
        with exclusive(folder / "weights"):
            cache = DigestCache(folder / "weights.json")
            digest = cache.content(path)
            cache.save()
            return digest
    except OSError:  # a home that cannot be written
        return sha256_content(path)
