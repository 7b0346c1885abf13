"""Help of a command at once: its page is kept until the program, or the width it is shown in, is another.

To make it, the flow and Prefect have to be imported, which takes two seconds.
"""

import os
import shutil
import sys
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

from core.store.atomic import write_text

_ROOT = Path(__file__).parents[2]
_READ = ("flows", "core/models", "core/formats")  # what a page is made from


def show_help(words: list[str], make: Callable[[], str]) -> None:
    """Print the help that these words call for; `make` makes it where it is not kept."""
    kept = _kept(words)
    try:
        page = kept.read_text(encoding="utf-8")
    except (OSError, ValueError):
        page = make()
        with suppress(OSError):  # a home that cannot be written
            write_text(kept, page)
    sys.stdout.write(page)


def _kept(words: list[str]) -> Path:
    stamps = [
        (str(path), status.st_size, status.st_mtime_ns)
        for folder in _READ
        for path in sorted((_ROOT / folder).rglob("*.py"))
        for status in (path.stat(),)
    ]
    shown_in = (
        shutil.get_terminal_size().columns,
        sys.stdout.isatty(),
        os.environ.get("TERM"),
        "NO_COLOR" in os.environ,
    )
    name = sha256(repr((words, version("maskflow"), sys.version, shown_in, stamps)).encode()).hexdigest()[:24]
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "maskflow" / "help" / name
