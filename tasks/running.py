"""Running a flow's items: on this host's slots, or spread over a cluster; cached, resumed, retried, shown."""

import shlex
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from prefect.context import FlowRunContext
from prefect.filesystems import LocalFileSystem
from prefect.futures import PrefectFuture
from prefect.logging import get_logger
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner

from core.errors import MaskflowError
from core.memory import MemoryUse
from core.store.cache import has_items_of_an_earlier_version, in_use, note_key_version
from tasks.cancellation import watch_flow_run
from tasks.crews.crew import Crew
from tasks.crews.opening import open_crew
from tasks.devices.gpus import unused_gpu_note
from tasks.devices.lock import locks_note
from tasks.devices.slots import MAX_SLOTS
from tasks.items import Item, Outcome, Stage
from tasks.placement import Placement
from tasks.reporting.progress import StageProgress
from tasks.stage_run import Prepare, StageRun
from tasks.store import RunStore

_log = get_logger("maskflow.running")
_EARLIER = (
    "Items kept in {0} were made by an earlier version of Maskflow: they are made again, once. "
    "Afterwards `maskflow cache prune --unused {0}` removes them, and whatever else the last run did not use"
)


class RunCancelled(MaskflowError):
    """The flow run was cancelled; what was finished is kept, a re-run goes on from there."""


@dataclass(frozen=True, eq=False)
class ItemRun:
    """A flow run's state folder and crew, and what became of its items so far. Made by `item_run`.

    Attributes:
        results: where Prefect keeps its own records of finished items.
        progress: of each stage, by the function of the stage.
        resume: keep finished items.
        made: every item so far, with its stage.
    """

    store: RunStore
    crew: Crew
    results: LocalFileSystem
    progress: dict[str, StageProgress]
    resume: bool = True
    made: list[tuple[Stage, Outcome]] = field(default_factory=list)

    @property
    def pages(self) -> list[Path]:
        """The folders of the pages about the run."""
        return [outcome.folder for stage, outcome in self.made if stage.page]


@contextmanager
def item_run(store: RunStore, placement: Placement, items: int | None, resume: bool = True) -> Iterator[ItemRun]:
    """Hold what running items needs; on leaving, or when the flow run is cancelled, the workers end at once.

    Args:
        store: the run's state folder.
        placement: what the items may use, where, and for how long.
        items: how many can run at once, where known: fewer than there are slots share all cores.
        resume: keep finished items.
    """
    context = FlowRunContext.get()
    if context is None or context.flow_run is None:
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
        crew = open_.enter_context(open_crew(store, placement, items, flow_run_id, on_progress))
        open_.enter_context(watch_flow_run(flow_run_id, crew.close))
        try:
            yield ItemRun(store, crew, store.results_block(), progress, resume)
            note_key_version(store.root)
        except BaseException:
            crew.close()  # before anything that may wait
            raise


def item_runner() -> TaskRunner[PrefectFuture[Any]]:
    """The task runner of a flow of items: threads that wait for a slot; the slots are the real limit."""
    return cast(TaskRunner[PrefectFuture[Any]], ThreadPoolTaskRunner(max_workers=MAX_SLOTS))


def run_items(
    run: ItemRun,
    stage: Stage,
    items: Sequence[Item],
    settled: Callable[[Outcome], None] = lambda _: None,
    prepare: Prepare | None = None,
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
        prepare: completes an item's inputs, in threads, while those before it are already being made; an `OSError`,
            `ValueError` or `MaskflowError` fails the item.

    Raises:
        RunCancelled: the flow run was cancelled meanwhile.
    """
    run.store.sweep(stage.task_name)
    stage_run = StageRun(run.store, run.crew, run.results, stage, items, run.resume, settled, prepare)
    run.progress[stage.function] = stage_run.progress
    outcomes = stage_run.finish()
    if run.crew.closed:
        raise RunCancelled("the run was cancelled; finished items are kept, run it again to go on")
    run.made.extend((stage, outcome) for outcome in outcomes)
    return outcomes
