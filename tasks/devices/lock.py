"""The host-wide lock of a slot: an OS file lock, freed by the kernel the instant its holder dies.

The file keeps the id of the Prefect lease its holder took, so that the next holder can return a dead one's lease.
"""

import fcntl
import os
import tempfile
from contextlib import suppress
from pathlib import Path

from core.errors import MaskflowError


def locks_folder() -> Path:
    """The folder all Maskflow processes of this host share their slot locks in."""
    folder = Path(tempfile.gettempdir()) / "maskflow-slots"
    with suppress(FileExistsError):
        folder.mkdir()
        folder.chmod(0o1777)  # for every user of this host, whatever the umask
    return folder


class SlotLock:
    """A slot's lock while it is held. Get one from `try_lock`."""

    def __init__(self, handle: int) -> None:
        self._handle = handle

    def left_lease(self) -> str | None:
        """The lease a holder that died left behind, or that `remember_lease` noted."""
        return os.pread(self._handle, 64, 0).decode("ascii", "replace").strip() or None

    def remember_lease(self, lease_id: str | None) -> None:
        """Note the lease taken with this lock; None when it was returned."""
        os.ftruncate(self._handle, 0)
        if lease_id is not None:
            os.pwrite(self._handle, lease_id.encode("ascii"), 0)

    def release(self) -> None:
        """Let go of the slot."""
        os.close(self._handle)


def _open(path: Path) -> int:
    flags = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        return os.open(path, flags)  # without O_CREAT: kernels refuse that for others' files in shared folders
    except FileNotFoundError:
        handle = os.open(path, flags | os.O_CREAT, 0o666)
        with suppress(PermissionError):
            os.fchmod(handle, 0o666)
        return handle


def try_lock(name: str) -> SlotLock | None:
    """Take the lock of the slot called `name`; None when someone on this host holds it."""
    path = locks_folder() / f"{name}.lock"
    try:
        handle = _open(path)
    except OSError as error:
        raise MaskflowError(f"slot lock {path} cannot be opened ({error.strerror}); remove it or set TMPDIR") from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    return SlotLock(handle)
