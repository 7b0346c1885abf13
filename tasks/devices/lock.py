"""The host-wide lock of a slot: an OS file lock, freed by the kernel the instant its holder dies.

The file keeps the id of the Prefect lease its holder took, so that the next holder can return a dead one's lease.
"""

import fcntl
import os
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path

from core.errors import MaskflowError, RefusedInput

_ELSEWHERE = "MASKFLOW_SLOT_LOCKS"
# One place for all processes of a host, whatever TMPDIR each was given; containers can share it.
_PLACES = (Path("/run/lock"), Path("/dev/shm"))  # noqa: S108 - made for this; the folder below is sticky


def locks_folder() -> Path:
    """The folder all Maskflow processes of this host share their slot locks in.

    `MASKFLOW_SLOT_LOCKS` names another one: for jobs that have cores of their own.

    Raises:
        RefusedInput: the folder of that name cannot be made.
    """
    given = os.environ.get(_ELSEWHERE)
    if given is None:
        return _shared_folder()
    try:
        Path(given).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RefusedInput.of(_ELSEWHERE, given, f"a folder that can be made ({error.strerror})") from None
    return Path(given)


def locks_note() -> str | None:
    """What a person should know where there is no place that the whole host shares; None where there is one."""
    folder = locks_folder()
    if _ELSEWHERE in os.environ or folder.parent in _PLACES:
        return None
    shared = " nor ".join(map(str, _PLACES))
    return f"Slot locks are in {folder}: neither {shared} can be written; runs with another TMPDIR do not see them"


@cache
def _shared_folder() -> Path:
    for place in (*_PLACES, Path(tempfile.gettempdir())):
        folder = place / "maskflow-slots"
        with suppress(OSError):
            if place.is_dir():
                folder.mkdir(exist_ok=True)
            with suppress(OSError):
                folder.chmod(0o1777)  # for every user of this host, whatever the umask; its owner alone can
            if os.access(folder, os.W_OK | os.X_OK):
                return folder
    raise MaskflowError(f"no folder for slot locks can be written; set {_ELSEWHERE} to one")


class SlotLock:
    """A slot's lock while it is held. Get one from `try_lock`."""

    def __init__(self, handle: int) -> None:
        self._handle = handle

    def left_lease(self) -> str | None:
        """The lease a holder that died left behind, or that `remember_lease` noted."""
        return os.pread(self._handle, 64, 0).decode("ascii", "replace").strip() or None

    def remember_lease(self, lease_id: str | None) -> None:
        """Note the lease taken with this lock; None when it was returned. A full disk does not matter here."""
        with suppress(OSError):
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
        remedy = f"remove it, or set {_ELSEWHERE} to another folder"
        raise MaskflowError(f"slot lock {path} cannot be opened ({error.strerror}); {remedy}") from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    return SlotLock(handle)
