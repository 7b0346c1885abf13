"""What items and runs took on this machine, kept for the next run: `timings.json` in the user's cache folder.

Only the latest are kept. Of a stage or a flow that this machine knows nothing of yet, `measured.json` in this folder
says what it took where we measured. A file that cannot be read or written costs nothing but the estimates.
"""

import os
from collections import defaultdict
from contextlib import suppress
from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from core.store.atomic import write_text
from core.store.lock import exclusive
from tasks.items import Outcome, Stage

_SHIPPED = Path(__file__).with_name("measured.json")
_SAMPLES_KEPT = 400
_RUNS_KEPT = 20


class Sample(BaseModel):
    """One item that was made.

    Attributes:
        kind: see `Item.kind`.
        device: what it ran on, see `Slot.device_id`.
        slots: of its run; items made beside each other share cores and memory, and take longer.
        cost: its expected work, see `Item.cost`.
        seconds: it took.
        host_mib: peak memory of its worker.
        gpu_mib: peak memory on the GPU; None without one.
        output_bytes: of the files it left.
    """

    model_config = ConfigDict(frozen=True)
    kind: tuple[str, ...]
    device: str
    slots: int
    cost: float
    seconds: float
    host_mib: float
    gpu_mib: float | None
    output_bytes: int


class StageTotals(BaseModel):
    """All items of one stage of a run."""

    model_config = ConfigDict(frozen=True)
    name: str
    items: int
    cost: float
    seconds: float
    output_bytes: int


class RunTotals(BaseModel):
    """A run that made all its items: its stages by task name, in their order, and the seconds it took beyond the work.

    Attributes:
        kind: see `tasks.planning.run_kind`.
        slots: it had; each starts a worker.
        outside_s: to start workers, and in between.
    """

    model_config = ConfigDict(frozen=True)
    kind: tuple[str, ...]
    slots: int
    stages: dict[str, StageTotals]
    outside_s: float


class Timings(BaseModel):
    """The file: samples by task name of the stage, runs by name of the flow; the latest last."""

    samples: dict[str, list[Sample]] = Field(default_factory=dict)
    runs: dict[str, list[RunTotals]] = Field(default_factory=dict)


class History:
    """What this machine knows."""

    def __init__(self) -> None:
        self._known = _read(_file())
        self._samples: dict[str, list[Sample]] = defaultdict(list)
        self._runs: dict[str, list[RunTotals]] = defaultdict(list)

    def samples(self, stage: Stage) -> list[Sample]:
        """Of a stage, made here; the latest last."""
        return [*self._known.samples.get(stage.task_name, ()), *self._samples.get(stage.task_name, ())]

    def shipped_samples(self, stage: Stage) -> list[Sample]:
        """Of a stage, made where we measured."""
        return _shipped().samples.get(stage.task_name, [])

    def run_like(self, flow: str, kind: tuple[str, ...], slots: int) -> RunTotals | None:
        """The latest run of a flow that is most like this one; of this machine, if there is any."""
        runs = self._known.runs.get(flow) or _shipped().runs.get(flow, [])
        return max(reversed(runs), key=lambda run: (_alike(run.kind, kind), run.slots == slots), default=None)

    def note(self, stage: Stage, outcome: Outcome, slots: int) -> None:
        """Remember what an item took in a run of so many slots; nothing of one that failed or was there already."""
        ran, item = outcome.ran, outcome.item
        if not outcome.cached and outcome.record is not None and "seconds" in ran:
            sample = Sample(
                kind=item.kind,
                device=str(ran.get("device", "cpu")),
                slots=slots,
                cost=item.cost,
                seconds=float(ran["seconds"]),
                host_mib=float(ran.get("host_peak_mib") or 0.0),
                gpu_mib=ran.get("gpu_peak_mib"),
                output_bytes=int(ran.get("output_bytes", 0)),
            )
            self._samples[stage.task_name].append(sample)

    def note_run(self, flow: str, totals: RunTotals) -> None:
        """Remember a run that made all its items."""
        self._runs[flow].append(totals)

    def save(self) -> None:
        """Add what this run has seen to what other runs have left meanwhile."""
        if not self._samples and not self._runs:
            return
        with suppress(OSError), exclusive(_file()):
            kept = _read(_file())
            for stage, samples in self._samples.items():
                kept.samples[stage] = [*kept.samples.get(stage, ()), *samples][-_SAMPLES_KEPT:]
            for flow, runs in self._runs.items():
                kept.runs[flow] = [*kept.runs.get(flow, ()), *runs][-_RUNS_KEPT:]
            write_text(_file(), kept.model_dump_json() + "\n")


def _alike(one: tuple[str, ...], other: tuple[str, ...]) -> int:
    return next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def _file() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "maskflow" / "timings.json"


def _read(file: Path) -> Timings:
    try:
        return Timings.model_validate_json(file.read_bytes())
    except (OSError, ValidationError):
        return Timings()


@cache
def _shipped() -> Timings:
    return _read(_SHIPPED)
