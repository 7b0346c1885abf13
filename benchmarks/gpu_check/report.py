"""What a check found: rows of a table, written as Markdown and as JSON."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from core.store.atomic import write_text

Verdict = Literal["as wanted", "not as wanted", "measured", "not run"]


@dataclass(frozen=True)
class Row:
    """One figure.

    Attributes:
        what: was measured.
        found: with its unit.
        wanted: the claim, where there is one.
        verdict: whether it holds.
    """

    what: str
    found: str
    wanted: str = ""
    verdict: Verdict = "measured"


@dataclass(frozen=True)
class Check:
    """A claim or several: how they are checked, and the seconds that this may take on a GPU."""

    name: str
    run: Callable[["Setting"], Iterator[Row]]
    seconds: int
    only_on_gpu: bool = False


@dataclass(frozen=True)
class Setting:
    """Where and how large the checks are run.

    Attributes:
        on_gpu: else it is the dry run: the same code on the CPU, on small models.
        folder: for files.
    """

    on_gpu: bool
    folder: Path

    @property
    def side(self) -> int:
        """Of the pictures that models see, pixels."""
        return 1024 if self.on_gpu else 128

    @property
    def frames(self) -> int:
        """Timed in each run."""
        return 24 if self.on_gpu else 3


def judged(what: str, value: float, least: float, unit: str, digits: int = 2) -> Row:
    """A figure that must reach `least`."""
    verdict: Verdict = "as wanted" if value >= least else "not as wanted"
    return Row(what, f"{value:.{digits}f} {unit}".strip(), f"≥ {least:g} {unit}".strip(), verdict)


def true_or_not(what: str, holds: bool, found: str) -> Row:
    """A claim that holds or does not."""
    return Row(what, found, "yes", "as wanted" if holds else "not as wanted")


def write(folder: Path, machine: str, rows: Sequence[tuple[str, Row]]) -> Path:
    """`gpu_check.md` and `gpu_check.json` in `folder`; gives the first."""
    lines = [f"# GPU check\n\n{machine}\n", "| check | what | found | wanted | |", "|---|---|---|---|---|"]
    lines += [f"| {name} | {row.what} | {row.found} | {row.wanted} | {row.verdict} |" for name, row in rows]
    path = folder / "gpu_check.md"
    write_text(path, "\n".join(lines) + "\n")
    content = {"machine": machine, "rows": [{"check": name, **asdict(row)} for name, row in rows]}
    write_text(folder / "gpu_check.json", json.dumps(content, indent=1, ensure_ascii=False) + "\n")
    return path
