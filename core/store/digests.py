"""Content digests of files and folders, remembered by size and modification time."""

import hashlib
import json
import threading
import time
from collections.abc import Callable
from pathlib import Path

from core.store.atomic import write_text

# A file changed this recently may change again within its time stamp's granularity (git's "racily clean").
_SETTLED_S = 2.0


def sha256_file(path: Path) -> str:
    """SHA-256 of the file's bytes, as 64 hex digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


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
    """Digests of files, computed once and kept in one JSON file until size or modification time changes.

    Args:
        file: where the digests are kept between runs; an unreadable one is simply started anew.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._known = self._load()
        self._changed = False

    def _load(self) -> dict[str, tuple[int, int, str]]:
        try:
            entries = json.loads(self._file.read_text())
            return {str(path): (int(size), int(mtime), str(sha)) for path, (size, mtime, sha) in entries.items()}
        except (OSError, ValueError, TypeError, AttributeError):
            return {}

    def file(self, path: Path) -> str:
        """SHA-256 of the file's content."""
        status = path.stat()
        name = str(path.resolve())
        with self._lock:
            known = self._known.get(name)
        if known is not None and known[:2] == (status.st_size, status.st_mtime_ns):
            return known[2]
        digest = sha256_file(path)
        if time.time() - status.st_mtime > _SETTLED_S:
            with self._lock:
                self._known[name] = (status.st_size, status.st_mtime_ns, digest)
                self._changed = True
        return digest

    def content(self, path: Path) -> str:
        """Digest of a file or a folder, see `sha256_content`."""
        return sha256_content(path, self.file)

    def save(self) -> None:
        """Keep what was learnt for the next run."""
        with self._lock:
            if self._changed:
                write_text(self._file, json.dumps(self._known, sort_keys=True))
                self._changed = False
