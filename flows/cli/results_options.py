"""What commands over results share: their options, notes on what was read, and a bar for each thing done."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.text import Text

from core.errors import MaskflowError, RefusedInput, reason_of
from core.formats.exchange.exporting import Report
from core.formats.exchange.notes import Notes
from core.formats.exchange.registry import READERS
from core.store.safe_load import load_json
from flows.cli.console import open_console


def check_options(kind: str | None, min_score: float, parameter: str = "format") -> None:
    """Refuse a format that is not known, and a score that is none."""
    if kind is not None and kind not in READERS:
        raise RefusedInput.of(parameter, kind, ", ".join(sorted(READERS)))
    if not 0 <= min_score <= 1:
        raise RefusedInput.of("min_score", min_score, "0 to 1")


def existing(videos: Path | None) -> Path | None:
    """The path a user gave. Raises `RefusedInput` where nothing is there."""
    if videos is not None and not videos.exists():
        raise RefusedInput.of("videos", str(videos), "a video, or a folder that is there")
    return videos


def read_labels(labels: Sequence[str] | None) -> dict[str, str]:
    """`old=new` pairs, or the path of a JSON file of them. Raises `RefusedInput` for anything else."""
    renamed: dict[str, str] = {}
    for one in labels or []:
        if one.endswith(".json") and Path(one).is_file():
            names = load_json(Path(one))
            if not isinstance(names, dict) or not all(isinstance(value, str) for value in names.values()):
                raise RefusedInput.of("labels", one, 'a JSON object of names: {"old": "new"}')
            renamed |= names
            continue
        old, equals, new = one.rpartition("=")
        if not equals or not old.strip():
            raise RefusedInput.of("labels", one, "old=new, or the path of a JSON file")
        renamed[old.strip()] = new.strip()
    return renamed


def print_notes(console: Console, notes: Notes) -> None:
    """What readers left out or took for granted, the first few in full."""
    if notes:
        console.print(f"{count(len(notes), 'note')} on what was read:", style="yellow")
    for line in notes.summary():
        console.print(Text(f"  {line}", "yellow"), soft_wrap=True)


def count(number: int, word: str) -> str:
    """`1 video`, `2 videos`."""
    return f"{number:,} {word}{'' if number == 1 else 's'}"


@contextmanager
def one_line() -> Iterator[None]:
    """What cannot be read or written is refused, in one line."""
    try:
        yield
    except MaskflowError as error:
        raise error if isinstance(error, RefusedInput) else RefusedInput(str(error)) from None
    except OSError as error:
        raise RefusedInput(f"{error.filename}: {reason_of(error)}") from None


@contextmanager
def progress() -> Iterator[Report]:
    """A bar for each thing done to a video."""
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(show_speed=True), TimeElapsedColumn())
    console = open_console(stderr=True)
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        bars = {}

        def report(what: str, done: int, expected: int | None) -> None:
            if what not in bars:
                bars[what] = progress.add_task(what, total=None)
            progress.update(bars[what], completed=done, total=expected)

        yield report
