"""What a run did, for people: a table and a page in the Prefect UI, the same table in the terminal."""

import logging
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Protocol

from prefect.client.schemas.objects import State
from prefect.logging import get_logger
from prefect.runtime import flow_run
from prefect.states import Completed, Failed

from core.addresses.mirror import shown
from core.errors import MaskflowError, reason_of
from core.formats.run_command import command_file
from core.report.page import read_pictures
from core.text import one_line
from tasks.reporting.artifacts import flush_artifacts, record_markdown, record_table
from tasks.server.outputs import address_of, label_address_of, note_output
from tasks.store import RunStore

_log = logging.getLogger("maskflow.reporting")
_MOST_PICTURES = 4
_MOST_REASONS = 3
_MOST_RECORDED = 2000
_MOST_LISTED = 200


@dataclass(frozen=True)
class Row:
    """One item in the summary.

    Attributes:
        status: done, cached or failed.
        figures: under the table's columns.
        reason: why it failed.
        files: what was made of it, for people to open: a word and a path each.
    """

    name: str
    status: str
    figures: tuple[str, ...]
    reason: str = ""
    files: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Summary:
    """A finished run.

    Attributes:
        title: what ran.
        columns: heads of the rows' figures.
        rows: items in input order.
        outputs: what was made: a word and a path each.
        notes: anything a person should know (which backend `auto` took).
        headline: what the run came to, where that is not how many were delivered.
    """

    title: str
    columns: tuple[str, ...]
    rows: Sequence[Row]
    outputs: Sequence[tuple[str, str]]
    notes: Sequence[str] = field(default_factory=list)
    headline: str = ""

    @property
    def failed(self) -> int:
        """Number of items that failed."""
        return sum(row.status == "failed" for row in self.rows)

    @property
    def sentence(self) -> str:
        """One line: how many were delivered, how many of them from cache, how many failed."""
        if self.headline:
            return self.headline
        cached = sum(row.status == "cached" for row in self.rows)
        delivered = len(self.rows) - self.failed
        parts = [f"{delivered} of {len(self.rows)} delivered"]
        if cached:
            parts.append(f"{cached} of them already done before")
        if self.failed:
            parts.append(f"{self.failed} failed")
        return ", ".join(parts)

    @property
    def message(self) -> str:
        """The sentence, and why the first items failed."""
        reasons = [f"{row.name}: {row.reason}" for row in self.rows if row.status == "failed"]
        more = [f"and {len(reasons) - _MOST_REASONS} more"] if len(reasons) > _MOST_REASONS else []
        return one_line("; ".join([self.sentence, *reasons[:_MOST_REASONS], *more]))


latest: Summary | None = None
"""The summary of the last run in this process; the command line prints it."""


_of_runs: dict[str, Summary] = {}


def summary_of(flow_run_id: object) -> Summary | None:
    """The summary of a run in this process, once; None where it has published none."""
    return _of_runs.pop(str(flow_run_id), None)


class SomeItemsFailed(MaskflowError):
    """Some items failed; the rest were delivered."""


class _NoTraceback(logging.Filter):
    """Prefect logs a traceback where a run is not completed: nothing for people where the error is one of ours."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, MaskflowError):
            record.exc_info = None
        return not isinstance(error, SomeItemsFailed)  # whose reasons are listed already


class FinishedRun(Protocol):
    """What publishing needs of a run."""

    @property
    def pages(self) -> list[Path]:
        """Folders of the pages about it, whose first pictures are shown in Prefect's UI."""
        ...

    @property
    def time_line(self) -> str:
        """How long it took."""
        ...

    @property
    def store(self) -> RunStore:
        """Where its state is."""
        ...


def publish(summary: Summary, run: FinishedRun) -> State[None]:
    """Deliver what belongs at an address, publish the artifacts, and give the flow's final state.

    *Completed*, or failed as *Partial*.
    """
    undelivered = [Row(name, "failed", (), why) for name, why in run.store.deliver().items()]
    outputs = [*((word, _shown(path)) for word, path in summary.outputs), ("Time", run.time_line)]
    summary = replace(summary, rows=[*summary.rows, *undelivered], outputs=outputs)
    announce(summary, run.pages)
    if summary.failed:
        return Failed(name="Partial", message=summary.message, data=SomeItemsFailed(summary.sentence))
    return Completed(message=summary.sentence)


def announce(summary: Summary, folders: Iterable[Path] = ()) -> None:
    """Show a summary: in the terminal, and as artifacts in Prefect's UI. See `publish`."""
    global latest
    latest = summary
    _of_runs[str(flow_run.id)] = summary
    _note_outputs(summary)
    shown, more = first_rows(summary.rows, _MOST_RECORDED)
    table = [
        {
            "item": one_line(row.name),
            "status": row.status,
            **dict(zip(summary.columns, row.figures, strict=False)),
            "reason": one_line(row.reason),
        }
        for row in shown
    ]
    if more:
        table.append({"item": more, "status": "", "reason": ""})
    record_table(table, "summary", one_line(f"{summary.title}: {summary.sentence}"))
    record_markdown(_markdown(summary, folders), "report", one_line(summary.title))
    flush_artifacts()


def first_rows(rows: Sequence[Row], most: int) -> tuple[list[Row], str]:
    """So many rows as people can look through, and a line about the others; then failures come first."""
    if len(rows) <= most:
        return list(rows), ""
    failed_first = sorted(rows, key=lambda row: row.status != "failed")
    left = Counter(row.status for row in failed_first[most:])
    kinds = ", ".join(f"{number:,} {status}" for status, number in sorted(left.items()))
    return failed_first[:most], f"and {len(rows) - most:,} more ({kinds}): all are in the report"


def _note_outputs(summary: Summary) -> None:
    """Write down what was made, so that `maskflow serve` shows it; a run does not fail for that."""
    try:
        for _, path in [*summary.outputs, *(file for row in summary.rows for file in row.files)]:
            if Path(path).is_file():
                note_output(Path(path))
    except OSError as error:
        _log.warning("the outputs of this run cannot be shown by `maskflow serve`: %s", reason_of(error))


def _shown(path: str) -> str:
    """Where an output is for people; a note in brackets may follow."""
    place, bracket, note = path.partition(" (")
    return f"{shown(Path(place))}{bracket}{note}"


_no_traceback = _NoTraceback()
get_logger("flow_runs").addFilter(_no_traceback)


def _markdown(summary: Summary, folders: Iterable[Path]) -> str:
    lines = [f"# {_cell(summary.title)}", "", f"**{summary.sentence}**", ""]
    lines += [f"- {_cell(note)}" for note in summary.notes]
    lines += [f"- {word}: {_linked(path)}" for word, path in summary.outputs]
    lines += [
        f"- [Correct {_cell(Path(path).name)} in the browser]({address})" for path, address in _correctable(summary)
    ]
    heads = ["item", "status", *summary.columns]
    lines += ["", "| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    shown, more = first_rows(summary.rows, _MOST_LISTED)
    for row in shown:
        figures = [*row.figures, *[""] * (len(summary.columns) - len(row.figures))]
        name = " ".join([_cell(row.name), *(_linked(path, word) for word, path in row.files)])
        lines.append("| " + " | ".join([name, *(_cell(text) for text in [row.status, *figures])]) + " |")
    if more:
        lines += ["", _cell(more)]
    failures = [row for row in shown if row.status == "failed"]
    if failures:
        lines += ["", "## Failed", ""]
        lines += [f"- **{_cell(row.name)}**: {_cell(row.reason)}" for row in failures]
    return "\n".join([*lines, *_pictures(folders)]) + "\n"


def _correctable(summary: Summary) -> Iterator[tuple[str, str]]:
    """Results that can be corrected on a page, with its address."""
    for path in (path for _, path in [*summary.outputs, *(file for row in summary.rows for file in row.files)]):
        if command_file(Path(path)).is_file() and (address := label_address_of(Path(path))) is not None:
            yield path, address


def _pictures(folders: Iterable[Path]) -> list[str]:
    """The first pictures of the run's pages."""
    shown = (picture for folder in folders for picture in read_pictures(folder))
    lines: list[str] = []
    for url, caption in islice(shown, _MOST_PICTURES):
        lines += ["", f"![{_cell(caption)}]({url})", "", _cell(caption)]
    return lines


def _linked(path: str, word: str = "") -> str:
    """An output, as a link where it can be opened; what has only a word is shown only as a link."""
    address = address_of(Path(path)) if Path(path).is_file() else None
    if address is None:
        return "" if word else _cell(path)
    text = _cell(word or path).replace("\\_", "_")  # Prefect's UI shows the backslash there
    return f"[{text}]({address})"


def _cell(text: str) -> str:
    """Text as text: names of files hold no markup, no links and no pictures."""
    return re.sub(r"([\\`*_\[\]()!|{}#~$])", r"\\\1", one_line(text)).replace("&", "&amp;").replace("<", "&lt;")
