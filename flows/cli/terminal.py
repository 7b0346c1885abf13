"""What a person at a terminal sees of a run: log lines, a bar, and a table at the end."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from prefect.logging.handlers import PrefectConsoleHandler
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from core.text import one_line
from tasks.reporting.summary import Summary

_OWN_FOLDERS = [Path(__file__).parents[2] / name for name in ("core", "tasks", "flows")]
_STYLES = {"done": "green", "cached": "cyan", "failed": "red"}


class Terminal:
    """Shows progress (`tasks.reporting.progress.Display`) and the project's own log lines on one console."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[items]}", markup=False),
            TimeElapsedColumn(),
            TextColumn("{task.fields[running]}", style="dim", markup=False),
            console=console,
            disable=not console.is_terminal,
        )
        self._handler = _OwnLines(console)
        self._replaced: list[tuple[logging.Logger, logging.Handler]] = []
        self._bar: TaskID | None = None
        self._items = 0

    def stage(self, name: str, items: int) -> None:
        """See `Display.stage`."""
        self._items = items
        self._bar = self._progress.add_task(name, total=1.0, items=f"0/{items}", running="")

    def show(self, fraction: float, done: int, running: Sequence[tuple[str, int, int | None]]) -> None:
        """See `Display.show`."""
        if self._bar is not None:
            now = ", ".join(
                f"{one_line(Path(name).name, 40)} {frames}/{expected or '?'}" for name, frames, expected in running[:3]
            )
            self._progress.update(self._bar, completed=fraction, items=f"{done}/{self._items}", running=now)

    def __enter__(self) -> Self:
        # Prefect's own console lines report every task state; a person wants to know about videos.
        for name in ["", *logging.root.manager.loggerDict]:
            logger = logging.getLogger(name)
            for handler in [h for h in logger.handlers if isinstance(h, PrefectConsoleHandler)]:
                logger.removeHandler(handler)
                logger.addHandler(self._handler)
                self._replaced.append((logger, handler))
        self._progress.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._progress.stop()
        for logger, handler in self._replaced:
            logger.removeHandler(self._handler)
            logger.addHandler(handler)


class _OwnLines(logging.Handler):
    """Prints what this project logs; Prefect's own lines are in its UI."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        own = any(Path(record.pathname).is_relative_to(folder) for folder in _OWN_FOLDERS)
        if not own or record.levelno < logging.INFO:
            return
        style = "" if record.levelno < logging.WARNING else "yellow"
        self._console.print(Text(record.getMessage(), style=style), soft_wrap=True)


def print_summary(console: Console, summary: Summary) -> None:
    """Print the table of items, where the outputs are, and each failure's reason."""
    console.print(Text(one_line(f"{summary.title}: {summary.sentence}"), style="bold"), soft_wrap=True)
    table = Table("item", "status")
    for column in summary.columns:
        table.add_column(Text(column), justify="right")
    for row in summary.rows:
        name, status = Text(one_line(row.name), overflow="fold"), Text(row.status, style=_STYLES[row.status])
        table.add_row(name, status, *map(Text, row.figures))
    console.print(table)
    for row in summary.rows:
        if row.status == "failed":
            console.print(Text(one_line(f"✗ {row.name}: {row.reason}"), style="red"), soft_wrap=True)
    for word, path in summary.outputs:
        console.print(Text(one_line(f"{word}: {path}")), soft_wrap=True)
