"""Commits that survive a kill at any moment: the old file or the new one, never half of one.

A file is written under a temporary name in its own folder, flushed to disk, then renamed. The temporary name
names host and process, so that a later run can sweep away what a killed process left behind.
"""

import fcntl
import os
import re
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import psutil

_serial = count()
_FICLONE = 0x40049409  # of linux/fs.h
_PIECE = 4 * 2**20
_HOST = re.sub(r"[^A-Za-z0-9-]", "-", socket.gethostname())
_TEMPORARY = re.compile(r"^\..+\.(?P<host>[A-Za-z0-9-]+)\.(?P<pid>\d+)\.\d+\.tmp(\.\w+)?$")


def _temporary_for(final: Path) -> Path:
    # The suffix stays last: encoders choose their container by it.
    return final.with_name(f".{final.name}.{_HOST}.{os.getpid()}.{next(_serial)}.tmp{final.suffix}")


def _fsync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


@contextmanager
def atomic_file(final: Path) -> Iterator[Path]:
    """Yield a temporary path to write; on success it becomes `final`, on any error it is removed.

    Missing parent folders are made. Raises what the body raises, and `OSError`.
    """
    final.parent.mkdir(parents=True, exist_ok=True)
    temporary = _temporary_for(final)
    try:
        yield temporary
        _fsync(temporary)
        temporary.replace(final)
        _fsync(final.parent)
    except BaseException:
        _remove(temporary)
        raise


@contextmanager
def atomic_folder(final: Path) -> Iterator[Path]:
    """Yield a temporary folder to fill; on success it becomes `final` as a whole, replacing what was there.

    Folders cannot be swapped in one step: a kill between the two renames leaves no folder at all, which
    readers treat as "not done yet".
    """
    final.parent.mkdir(parents=True, exist_ok=True)
    temporary = _temporary_for(final)
    temporary.mkdir()
    try:
        yield temporary
        for file in temporary.rglob("*"):
            if file.is_file():
                _fsync(file)
        _fsync(temporary)
        if final.exists():
            replaced = _temporary_for(final)
            final.replace(replaced)
            temporary.replace(final)
            _remove(replaced)
        else:
            temporary.replace(final)
        _fsync(final.parent)
    except BaseException:
        _remove(temporary)
        raise


def write_bytes(final: Path, data: bytes, executable: bool = False) -> None:
    """Write `data` to `final` atomically."""
    with atomic_file(final) as temporary:
        temporary.write_bytes(data)
        if executable:
            temporary.chmod(0o755)


def write_text(final: Path, text: str, executable: bool = False) -> None:
    """Write `text` to `final` atomically, as UTF-8; halves of characters (of file names) as JSON escapes them."""
    write_bytes(final, text.encode(errors="backslashreplace"), executable)


def clone_or_copy(source: Path, final: Path) -> None:
    """Make `final` a file of its own with the content of `source`: sharing its blocks until one of them changes where
    the file system can (Btrfs, XFS), else a copy."""
    with atomic_file(final) as temporary, source.open("rb") as read, temporary.open("wb") as write:
        try:
            fcntl.ioctl(write, _FICLONE, read.fileno())
            return
        except OSError:
            shutil.copyfileobj(read, write, _PIECE)


def sweep_temporaries(folder: Path) -> None:
    """Remove temporary files and folders directly in `folder` whose process on this host is gone."""
    if not folder.is_dir():
        return
    for path in folder.iterdir():
        match = _TEMPORARY.match(path.name)
        if match and match["host"] == _HOST and not _is_running(int(match["pid"])):
            _remove(path)


def _is_running(pid: int) -> bool:
    """Whether a process is at work; one that has ended and waits to be reaped is not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return psutil.pid_exists(pid)  # somebody else's may be hidden
