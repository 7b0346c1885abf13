"""What every report page shows about its run: each item, the parameters, and what it was made with."""

from collections.abc import Iterator

from pydantic import BaseModel, ConfigDict, Field

from core.report.page import Section, Table

_MOST_ROWS = 30_000
_FAILED_FIRST = {"failed": 0}


class ItemFacts(BaseModel):
    """An item of a run.

    Attributes:
        name: as people know it.
        stage: what was done.
        status: done, cached (by an earlier run) or failed.
        seconds: it took, in its worker; None: not made.
        peak_mib: most memory of its worker; `gpu_peak_mib`: on its GPU.
        reason: why it failed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: str
    stage: str
    status: str
    seconds: float | None = None
    peak_mib: float | None = None
    gpu_peak_mib: float | None = None
    reason: str = ""


class RunFacts(BaseModel):
    """A run: its items, the commands that run it again and correct it, its parameters, versions and digests."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    items: list[ItemFacts] = Field(default_factory=list)
    command: str = ""
    correct: str = ""
    parameters: list[tuple[str, str]] = Field(default_factory=list)
    made_with: list[tuple[str, str]] = Field(default_factory=list)


def run_sections(run: RunFacts) -> Iterator[Section]:
    """The last sections of a page; those of which nothing is known are left out."""
    if run.items:
        seconds = sum(one.seconds or 0.0 for one in run.items)
        cached = sum(one.status == "cached" for one in run.items)
        note = f"{len(run.items):,} items, {cached:,} of them from an earlier run; {seconds:,.1f} s of work in all"
        note += f"; the first {_MOST_ROWS} are shown" if len(run.items) > _MOST_ROWS else ""
        heads = ("item", "step", "status", "seconds", "MiB at most", "GPU MiB", "why")
        items = sorted(run.items, key=lambda one: _FAILED_FIRST.get(one.status, 1))
        table = Table(heads, [_row(one) for one in items[:_MOST_ROWS]], filter_by="status")
        yield Section("Items: speed and memory", note, table=table)
    if run.correct:
        note = (
            "Point at what is wrong; only what changes is computed again. Where it is served, Prefect's UI links to it."
        )
        yield Section("How to correct it in the browser", note, command=run.correct)
    if run.command:
        note = "The same command goes on where a run was interrupted, and makes again what has changed."
        yield Section("How to run it again", note, command=run.command)
    if run.parameters:
        yield Section("Parameters", table=Table(("parameter", "value"), run.parameters))
    if run.made_with:
        yield Section("Made with", table=Table(("", ""), run.made_with))


def _row(one: ItemFacts) -> tuple[str, ...]:
    seconds = "" if one.seconds is None else f"{one.seconds:.1f}"
    memory = ("" if mib is None else f"{mib:.0f}" for mib in (one.peak_mib, one.gpu_peak_mib))
    return (one.name, one.stage, one.status, seconds, *memory, one.reason)
