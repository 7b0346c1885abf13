"""Outputs that belong at an address: made in a folder here, its mirror, from which they are delivered.

A mirror is called after its address, so a later run on this machine finds what an earlier one has made.
"""

import os
import posixpath
from hashlib import sha256
from pathlib import Path

from core.addresses.address import joined
from core.store.atomic import write_text
from core.store.paths import slugify


def _root() -> Path:
    usual = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "maskflow" / "outputs"
    return usual.resolve()


def mirror_of(address: str) -> Path:
    """The folder here for what belongs in the folder at an address; made where it is missing."""
    folder = address.rstrip("/")
    name = f"{slugify(folder.rpartition('/')[2])}-{sha256(folder.encode()).hexdigest()[:16]}"
    mirror = _root() / name
    mirror.mkdir(parents=True, exist_ok=True)
    note = _note(mirror)
    if not note.exists():
        write_text(note, folder)
    return mirror


def address_of(path: Path) -> str | None:
    """Where a file or folder of a mirror belongs; None for any other."""
    root = _root()
    if not path.is_absolute() or not path.is_relative_to(root) or path == root:
        return None
    name, *below = path.relative_to(root).parts
    try:
        return joined(_note(root / name).read_text(encoding="utf-8"), *below)
    except OSError:
        return None


def shown(path: Path) -> str:
    """A path as people should see it: of a mirror, the address."""
    return address_of(path) or str(path)


def relative(path: Path, folder: Path) -> str:
    """What a page in a folder calls a file: the path from there, also between addresses; another place's address."""
    there, here = address_of(path), address_of(folder)
    if there is None and here is None:
        return os.path.relpath(path, folder)
    if there is None or here is None:
        return shown(path)
    (place, _, below), (own_place, _, own) = (_split(one) for one in (there, here))
    return posixpath.relpath(f"/{below}", f"/{own}") if place == own_place else there


def _split(address: str) -> tuple[str, str, str]:
    protocol, _, rest = address.partition("://")
    bucket, slash, below = rest.partition("/")
    return f"{protocol}://{bucket}", slash, below


def _note(mirror: Path) -> Path:
    return mirror.with_name(f"{mirror.name}.address")
