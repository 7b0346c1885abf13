"""Which files runs have made, and where `maskflow serve` shows them.

They are written down below `PREFECT_HOME`: what stands there, and nothing else, is served by `tasks.server.files`.
"""

import hashlib
import json
import os
from pathlib import Path
from urllib.parse import quote

from core.store.atomic import write_text
from tasks.server.address import configured_url, prefect_home

LABEL = "label"
"""Below this path of the file server is the page on which results are corrected."""


def _outputs() -> Path:
    return prefect_home() / "maskflow-server" / "outputs"


def _announced() -> Path:
    return prefect_home() / "maskflow-server" / "files.json"


def note_output(file: Path) -> None:
    """Write down that a run has made a file."""
    made = file.resolve()
    if not is_output(made):
        write_text(_note(made), json.dumps(str(made)))


def is_output(file: Path) -> bool:
    """Whether a run has made this file, given by its resolved path."""
    try:
        return bool(json.loads(_note(file).read_text(encoding="utf-8")) == str(file))
    except (OSError, ValueError):
        return False


def noted_as(file: Path) -> str:
    """What a file, by its resolved path, is written down as."""
    return hashlib.sha256(os.fsencode(file)).hexdigest()[:32]


def output_noted_as(name: str) -> Path | None:
    """The file that is written down so; None where there is none, or it is not there any more."""
    try:
        file = Path(json.loads((_outputs() / name).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
    return file if noted_as(file) == name and file.is_file() else None


def _note(file: Path) -> Path:
    """Where it is written down, found without reading what else is."""
    return _outputs() / noted_as(file)


def announce_files(files_url: str, api_url: str) -> None:
    """Let runs know where their outputs can be seen, those of the server at `api_url`."""
    write_text(_announced(), json.dumps({"files": files_url, "api": api_url}))


def withdraw_files() -> None:
    """They can be seen nowhere any more."""
    _announced().unlink(missing_ok=True)


def address_of(path: Path) -> str | None:
    """Where an output can be opened in a browser; None where no `maskflow serve` of this machine runs."""
    try:
        announced = json.loads(_announced().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if announced["api"] != configured_url():
        return None
    return f"{announced['files']}{quote(str(path.resolve()), errors='surrogateescape')}"


def label_address_of(results: Path) -> str | None:
    """Where results can be corrected in a browser; None where no `maskflow serve` of this machine runs."""
    shown = address_of(results)
    if shown is None:
        return None
    path = quote(str(results.resolve()), errors="surrogateescape")
    return f"{shown.removesuffix(path)}/{LABEL}/open?results={path}"
