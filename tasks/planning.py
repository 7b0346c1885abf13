"""What a run would have to do, and what that takes: nothing is made.

A plan follows the flow's own story: a stage all of whose items are there already gives their outcomes, so that the next
stage's items are known. With the first stage that has items to do it ends; what comes after that is estimated from
runs of the same flow.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from tasks.estimates.history import History
from tasks.estimates.makespan import chains, makespan_s
from tasks.estimates.predicting import Predictor
from tasks.items import Item, Outcome, Stage
from tasks.preparing import Inputs, Preparation, Prepared, RunMode
from tasks.reporting.facts import command_words
from tasks.reporting.progress import StageProgress
from tasks.store import RunStore

_NO_MATTER = {
    "--plan", "--no-resume", "--show-cached", "--num-workers", "--gpu-ids", "--cluster", "--stall-timeout",
    "--item-timeout", "--limit", "--video-list", "--videos", "--output-jsonl", "--output-dir",
}  # fmt: skip
AROUND = "start, Prefect"


@dataclass(frozen=True)
class StagePlan:
    """One stage of a plan.

    Attributes:
        items: all of them; cached: those that are there already.
        work_s: of all that is to do, in slots.
        makespan_s: until that is done.
        host_mib, gpu_mib: of one worker.
        output_bytes: of the files that are kept to go on from.
        known: its items are known; else it is estimated from earlier runs.
        measured: by what this machine did earlier; else by what we measured elsewhere.
    """

    name: str
    items: int
    cached: int = 0
    work_s: float = 0.0
    makespan_s: float = 0.0
    host_mib: float = 0.0
    gpu_mib: float | None = None
    output_bytes: float = 0.0
    known: bool = True
    measured: bool = True


@dataclass
class RunPlan:
    """What is known so far of a run that is only planned.

    Attributes:
        flow: its name.
        devices: of each slot, see `Slot.device_id`.
        fetch_bytes: to be downloaded.
    """

    flow: str
    devices: list[str]
    stages: list[StagePlan] = field(default_factory=list)
    fetch_bytes: int = 0

    @property
    def makespan_s(self) -> float:
        """Seconds of all stages."""
        return sum(stage.makespan_s for stage in self.stages)

    @property
    def output_bytes(self) -> float:
        """Of all files that are to be made and kept to go on from."""
        return sum(stage.output_bytes for stage in self.stages)


def known_items(
    store: RunStore, stage: Stage, items: Sequence[Item], mode: RunMode, inputs: Inputs
) -> list[Prepared | str]:
    """Each item with what is there of it; the reason for one that cannot be made.

    Where nothing of this stage is kept at all, files are not read for their digests.
    """
    if not mode.resume or not store.has_items(stage.task_name):
        return [Prepared(item, "", None) for item in items]
    progress = StageProgress(f"{stage.name} (plan)", float(len(items)), len(items))
    with Preparation(store, stage, inputs, mode, progress, lambda: False) as preparation:
        return preparation.finish(items)


def plan_stage(
    plan: RunPlan,
    stage: Stage,
    items: Sequence[Item],
    known: Sequence[Prepared | str],
    inputs: Inputs,
    history: History,
) -> list[Item]:
    """Add a stage to the plan; its items that are to do."""
    predictor = Predictor(history, stage, len(plan.devices))
    to_do = [item for item, one in zip(items, known, strict=True) if isinstance(one, Prepared) and one.found is None]
    cached = sum(isinstance(one, Prepared) and one.found is not None for one in known)
    each = [predictor.predict(item) for item in to_do]
    plan.fetch_bytes += sum(map(inputs.fetch_bytes, to_do))
    plan.stages.append(
        StagePlan(
            name=stage.name,
            items=len(items),
            cached=cached,
            work_s=sum(one.seconds for one in each),
            makespan_s=stage_makespan_s(predictor, to_do, plan.devices),
            host_mib=max((one.host_mib for one in each), default=0.0),
            gpu_mib=max((one.gpu_mib for one in each if one.gpu_mib is not None), default=None),
            output_bytes=sum(one.output_bytes for one in each),
            measured=all(one.measured for one in each),
        )
    )
    return to_do


def stage_makespan_s(predictor: Predictor, items: Sequence[Item], devices: Sequence[str]) -> float:
    """Seconds until items of a stage are made: those that wait for each other in one slot."""

    def seconds(chain: Sequence[Item], device: str) -> float:
        return sum(predictor.predict(item, device).seconds for item in chain)

    return makespan_s(chains(items, lambda item: item.after), seconds, devices)


def plan_what_follows(plan: RunPlan, stage: Stage, to_do: Sequence[Item], history: History) -> None:
    """Add what a run does after a stage, scaled by how much that has to do."""
    run = history.run_like(plan.flow, run_kind(to_do[0]), len(plan.devices))
    if run is None or stage.task_name not in run.stages:
        return
    names = list(run.stages)
    cost = run.stages[stage.task_name].cost
    share = sum(item.cost for item in to_do) / cost if cost > 0 else 1.0
    for name in names[names.index(stage.task_name) + 1 :]:
        one = run.stages[name]
        number = max(1, round(one.items * share))
        work_s = one.seconds * share
        plan.stages.append(
            StagePlan(
                name=one.name,
                items=number,
                work_s=work_s,
                makespan_s=max(work_s / len(plan.devices), work_s / number),
                output_bytes=one.output_bytes * share,
                known=False,
            )
        )
    plan.stages.append(StagePlan(AROUND, 0, makespan_s=run.outside_s, known=False))


def run_kind(item: Item) -> tuple[str, ...]:
    """What runs that do the same have in common: their options but for paths and devices, and the kind of items."""
    flags = {word for word in command_words() if word.startswith("--")}
    return (" ".join(sorted(flags - _NO_MATTER)), *item.kind)


def outcomes_of(store: RunStore, stage: Stage, items: Iterable[Item], known: Iterable[Prepared | str]) -> list[Outcome]:
    """Of items that are all there already."""
    outcomes = []
    for item, one in zip(items, known, strict=True):
        if isinstance(one, str) or one.found is None:
            reason = one if isinstance(one, str) else "not made"
            outcomes.append(Outcome(item, store.root, None, False, reason))
            continue
        record = dict(one.found.record or {})
        ran = record.pop("ran", {})
        outcomes.append(
            Outcome(one.item, store.item_folder(stage.task_name, one.key), record, True, None, ran, one.key)
        )
    return outcomes
