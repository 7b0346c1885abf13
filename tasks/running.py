"""Running a flow's items: on this host's slots, or spread over a cluster; cached, resumed, retried, shown."""

import shlex
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from prefect.context import FlowRunContext
from prefect.futures import PrefectFuture
from prefect.logging import get_logger
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner

from core.memory import MemoryUse
from core.store.cache import has_items_of_an_earlier_version, in_use, note_key_version
from core.text import clock
from tasks.cancellation import watch_flow_run
from tasks.crews.crew import Crew
from tasks.crews.opening import open_crew
from tasks.crews.planned import PlanCrew
from tasks.devices.gpus import unused_gpu_note
from tasks.devices.lock import locks_note
from tasks.devices.slots import MAX_SLOTS
from tasks.ending import Planned, RunCancelled
from tasks.estimates.history import History, RunTotals, StageTotals
from tasks.estimates.makespan import chains, makespan_s
from tasks.estimates.predicting import Predictor
from tasks.items import Item, Outcome, Stage
from tasks.placement import Placement
from tasks.planning import (
    RunPlan,
    known_items,
    outcomes_of,
    plan_stage,
    plan_what_follows,
    run_kind,
    stage_makespan_s,
)
from tasks.preparing import Inputs, RunMode
from tasks.reporting.progress import StageProgress
from tasks.stage_run import StageRun
from tasks.store import RunStore

_log = get_logger("maskflow.running")
_EARLIER = (
    "Items kept in {0} were made by an earlier version of Maskflow: they are made again, once. "
    "Afterwards `maskflow cache prune --unused {0}` removes them, and whatever else the last run did not use"
)


@dataclass(frozen=True)
class StageTime:
    """Seconds that a stage was to take, took, and would have taken had its slots done nothing but work on its items."""

    expected_s: float
    took_s: float
    worked_s: float


@dataclass(frozen=True, eq=False)
class ItemRun:
    """A flow run's state folder and crew, and what became of its items so far. Made by `item_run`.

    Attributes:
        progress: of each stage, by the function of the stage.
        mode: what becomes of the items.
        plan: of a run that is only planned.
        history: what items took on this machine.
        made: every item so far, with its stage.
        times: of the stages so far.
    """

    flow: str
    store: RunStore
    crew: Crew
    progress: dict[str, StageProgress]
    mode: RunMode
    plan: RunPlan | None
    history: History = field(default_factory=History)
    made: list[tuple[Stage, Outcome]] = field(default_factory=list)
    times: list[StageTime] = field(default_factory=list)

    @property
    def slots(self) -> int:
        """How many items run beside each other."""
        return len(self.crew.devices)

    @property
    def outside_s(self) -> float:
        """Seconds that a run like this one took beyond the work of its items; 0 where nothing is known."""
        first = self.made[0][1].item
        like = self.history.run_like(self.flow, run_kind(first), self.slots)
        return 0.0 if like is None else like.outside_s

    @property
    def pages(self) -> list[Path]:
        """The folders of the pages about the run."""
        return [outcome.folder for stage, outcome in self.made if stage.page]

    @property
    def time_line(self) -> str:
        """How long the items took, beside what was expected."""
        took_s, expected_s = (sum(getattr(one, name) for one in self.times) for name in ("took_s", "expected_s"))
        if any(not outcome.cached for _, outcome in self.made):
            expected_s += self.outside_s
        return f"{clock(took_s)} for all items, {clock(expected_s)} expected"

    def end_plan(self) -> None:
        """Where the run is only planned, it ends here: from now on things are delivered."""
        if self.plan is not None:
            raise Planned(self.plan, self.store.root.parent)


@contextmanager
def item_run(store: RunStore, placement: Placement, items: int | None, mode: RunMode) -> Iterator[ItemRun]:
    """Hold what running items needs; on leaving, or when the flow run is cancelled, the workers end at once.

    Args:
        store: the run's state folder.
        placement: what the items may use, where, and for how long.
        items: how many can run at once, where known: fewer than there are slots share all cores.
        mode: what becomes of the items; where they are only planned, `run_items` raises `Planned` before any is made.
    """
    context = FlowRunContext.get()
    if context is None or context.flow_run is None or context.flow is None:
        raise RuntimeError("items run inside a flow run")
    flow_run_id = context.flow_run.id
    for note in (unused_gpu_note() if placement.uses_gpu else None, locks_note()):
        if note is not None:
            _log.warning(note)
    progress: dict[str, StageProgress] = {}

    def on_progress(key: str, done: int, expected: int | None, memory: MemoryUse) -> None:
        for stage in list(progress.values()):
            stage.frames(key, done, expected, memory)

    with ExitStack() as open_:
        open_.enter_context(in_use(store.root))
        if has_items_of_an_earlier_version(store.root):
            _log.warning(_EARLIER.format(shlex.quote(str(store.root.parent))))
        open_.callback(store.digests.save)
        opened = PlanCrew(placement) if mode.only_plan else open_crew(store, placement, items, flow_run_id, on_progress)
        crew = open_.enter_context(opened)
        open_.enter_context(watch_flow_run(flow_run_id, crew.close))
        plan = RunPlan(context.flow.name, crew.devices) if mode.only_plan else None
        run = ItemRun(context.flow.name, store, crew, progress, mode, plan)
        open_.callback(run.history.save)
        try:
            yield run
            note_key_version(store.root)
            _note_run(run)
        except BaseException:
            crew.close()  # before anything that may wait
            raise


def _note_run(run: ItemRun) -> None:
    """Remember what a run took that made all its items, and so tells what a run takes."""
    if not run.made or any(outcome.cached or outcome.record is None for _, outcome in run.made):
        return
    outcomes: dict[str, list[Outcome]] = {}
    names = {}
    for stage, outcome in run.made:
        outcomes.setdefault(stage.task_name, []).append(outcome)
        names[stage.task_name] = stage.name
    stages = {
        task: StageTotals(
            name=names[task],
            items=len(made),
            cost=sum(one.item.cost for one in made),
            seconds=sum(float(one.ran.get("seconds", 0.0)) for one in made),
            output_bytes=sum(int(one.ran.get("output_bytes", 0)) for one in made),
        )
        for task, made in outcomes.items()
    }
    outside_s = max(0.0, sum(one.took_s - one.worked_s for one in run.times))
    kind = run_kind(run.made[0][1].item)
    totals = RunTotals(kind=kind, slots=run.slots, stages=stages, outside_s=outside_s)
    run.history.note_run(run.flow, totals)


def item_runner() -> TaskRunner[PrefectFuture[Any]]:
    """The task runner of a flow of items: threads that wait for a slot; the slots are the real limit."""
    return cast(TaskRunner[PrefectFuture[Any]], ThreadPoolTaskRunner(max_workers=MAX_SLOTS))


def run_items(
    run: ItemRun,
    stage: Stage,
    items: Sequence[Item],
    settled: Callable[[Outcome], None] = lambda _: None,
    inputs: Inputs | None = None,
) -> list[Outcome]:
    """Make every item that is not there yet; outcomes in the order of `items`.

    Items with equal keys are made once. A hit counts only while its outputs are there, unaltered; where the run
    does not resume, nothing counts.

    Args:
        run: the present run.
        stage: what kind of items they are.
        items: all of them.
        settled: called with each outcome as soon as it is known, one after another. Where it raises, that item has
            failed: with its result made, but not delivered.
        inputs: completes the items, where they are not complete as they are.

    Raises:
        RunCancelled: the flow run was cancelled meanwhile.
        Planned: the run is only planned, and there is something to do.
    """
    if run.plan is not None:
        return _plan(run, run.plan, stage, items, inputs or Inputs())
    run.store.sweep(stage.task_name)
    began_s, predictor = time.monotonic(), Predictor(run.history, stage, run.slots)
    stage_run = StageRun(run.store, run.crew, stage, items, predictor, run.mode, settled, inputs)
    run.progress[stage.function] = stage_run.progress
    outcomes = stage_run.finish()
    if run.crew.closed:
        raise RunCancelled("the run was cancelled; finished items are kept, run it again to go on")
    run.made.extend((stage, outcome) for outcome in outcomes)
    expected_s = stage_makespan_s(predictor, stage_run.to_do, run.crew.devices)
    for outcome in outcomes:
        run.history.note(stage, outcome, run.slots)
    ran_s = {id(one.item): float(one.ran.get("seconds", 0.0)) for one in outcomes if not one.cached}
    worked_s = makespan_s(
        chains([one.item for one in outcomes], lambda item: item.after),
        lambda chain, _: sum(ran_s.get(id(item), 0.0) for item in chain),
        run.crew.devices,
    )
    run.times.append(StageTime(expected_s, time.monotonic() - began_s, worked_s))
    return outcomes


def _plan(run: ItemRun, plan: RunPlan, stage: Stage, items: Sequence[Item], inputs: Inputs) -> list[Outcome]:
    """The outcomes of a stage all of whose items are there. Raises `Planned` where some are not."""
    known = known_items(run.store, stage, items, run.mode, inputs)
    to_do = plan_stage(plan, stage, items, known, inputs, run.history)
    if to_do:
        plan_what_follows(plan, stage, to_do, run.history)
        run.end_plan()
    return outcomes_of(run.store, stage, items, known)
