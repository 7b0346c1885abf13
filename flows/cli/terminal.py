"""What a person at a terminal sees of a run: log lines, a bar, and a table at the end."""

import logging
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from prefect.logging.handlers import PrefectConsoleHandler
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from core.text import clock, one_line
from tasks.reporting.summary import Summary, first_rows

_OWN_FOLDERS = [Path(__file__).parents[2] / name for name in ("core", "tasks", "flows")]
_SAY_EVERY_S, _SURE_AFTER_S = float(os.environ.get("MASKFLOW_PROGRESS_EVERY_S", "30")), 5.0
_MOST_ROWS = 100
_STYLES = {"done": "green", "cached": "cyan", "failed": "red", "to do": "yellow"}


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
            TextColumn("{task.fields[left]}", markup=False),
            TextColumn("{task.fields[running]}", style="dim", markup=False),
            console=console,
            disable=not console.is_terminal,
        )
        self._handler = _OwnLines(console)
        self._replaced: list[tuple[logging.Logger, logging.Handler]] = []
        self._bar: TaskID | None = None
        self._name, self._items = "", 0
        self._began_s = self._said_s = time.monotonic()

    def stage(self, name: str, items: int) -> None:
        """See `Display.stage`."""
        self._name, self._items = name, items
        self._began_s = self._said_s = time.monotonic()
        self._bar = self._progress.add_task(name, total=1.0, items=f"0/{items}", left="", running="")

    def show(self, fraction: float, done: int, running: Sequence[tuple[str, int, int | None]]) -> None:
        """See `Display.show`. Where there is no bar, because output goes to a file, a line every half minute
        (`MASKFLOW_PROGRESS_EVERY_S`)."""
        if self._bar is None:
            return
        left, now = self._left(fraction), self._at_work(done, running)
        self._progress.update(self._bar, completed=fraction, items=f"{done}/{self._items}", left=left, running=now)
        if not self._console.is_terminal and time.monotonic() - self._said_s >= _SAY_EVERY_S:
            self._said_s = time.monotonic()
            parts = (f"{self._name}: {done} of {self._items} items done ({fraction:.0%})", left, now)
            self._console.print("; ".join(part for part in parts if part), style="dim", soft_wrap=True)

    def _left(self, fraction: float) -> str:
        """How long the stage will take from now on, once that can be said."""
        took_s = time.monotonic() - self._began_s
        if not 0.01 <= fraction < 1 or took_s < _SURE_AFTER_S:
            return ""
        return f"about {clock(round(took_s * (1 - fraction) / fraction))} left"

    def _at_work(self, done: int, running: Sequence[tuple[str, int, int | None]]) -> str:
        shown = [
            f"{one_line(Path(name).name, 40)} {frames}/{expected or '?'}" for name, frames, expected in running[:3]
        ]
        waiting = self._items - done - len(running)
        return ", ".join(shown + ([f"{waiting} waiting for a slot"] if waiting > 0 else []))

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
    shown, more = first_rows(summary.rows, _MOST_ROWS)
    for row in shown:
        name, status = Text(one_line(row.name), overflow="fold"), Text(row.status, style=_STYLES[row.status])
        table.add_row(name, status, *map(Text, row.figures))
    console.print(table)
    if more:
        console.print(Text(more))
    for row in shown:
        if row.status == "failed":
            console.print(Text(one_line(f"✗ {row.name}: {row.reason}"), style="red"), soft_wrap=True)
    for word, path in summary.outputs:
        console.print(Text(one_line(f"{word}: {path}")), soft_wrap=True)
