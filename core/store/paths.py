"""Names and paths made from untrusted text: they stay inside the folder they belong to."""

import re
import unicodedata
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator

from core.errors import RefusedInput

_MAX_NAME = 100


def slugify(text: str, default: str = "unnamed", max_bytes: int = _MAX_NAME) -> str:
    """A file name made from any text: letters, digits, `.`, `_` and `-`, at most 100 bytes.

    Letters of every script stay. Separators, control characters and leading dots go, so that a name can be
    neither a path nor hidden.
    """
    text = unicodedata.normalize("NFC", text)
    text = re.sub(r"[^\w.-]+", "-", text).strip("-. ")
    while len(text.encode()) > max_bytes:
        text = text[:-1]
    return text or default


def expanded(path: Path) -> Path:
    """`path` with `~` replaced by the home folder. Raises `ValueError` where there is no such folder."""
    try:
        return path.expanduser()
    except RuntimeError:
        raise ValueError(f"there is no home folder {path.parts[0]}") from None


UserPath = Annotated[Path, AfterValidator(expanded)]
"""A path as people write it, for pydantic: `~` is the home folder."""


def inside(root: Path, *parts: str) -> Path:
    """`root / parts`, refused when it leaves `root`, also through a symbolic link."""
    path = root.joinpath(*parts)
    if not path.resolve().is_relative_to(root.resolve()):
        raise RefusedInput.of("path", str(path), f"outputs stay inside {root}")
    return path


def visible(folder: Path, pattern: str) -> list[Path]:
    """Files and folders that match, in order, but none that is hidden, or in a hidden folder (a run's own state)."""
    found = (path for path in folder.glob(pattern) if not any(p[0] == "." for p in path.relative_to(folder).parts))
    return sorted(found)


def files_of(folder: Path, endings: Collection[str], deep: bool = True) -> list[Path]:
    """Visible files in a folder (and below) with one of these endings, in small or capital letters, in order."""
    found = visible(folder, "**/*" if deep else "*")
    return [path for path in found if path.suffix.lower() in endings and path.is_file()]


def distinct(names: Iterable[str]) -> list[str]:
    """The names in their order, the second `a` as `a_2`, the third as `a_3`; deterministic, never two alike.

    Compared without case: some file systems do not see a difference.
    """
    names = list(names)
    wanted = {name.casefold() for name in names}
    taken: set[str] = set()
    result = []
    for name in names:
        candidate, serial = name, 1
        while candidate.casefold() in taken or (serial > 1 and candidate.casefold() in wanted):
            serial += 1
            candidate = f"{name}_{serial}"
        taken.add(candidate.casefold())
        result.append(candidate)
    return result
