"""Running a flow's items: on this host's slots, or spread over a cluster; cached, resumed, retried, shown."""

import queue
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Protocol, cast

from prefect.client.schemas.objects import State
from prefect.context import FlowRunContext
from prefect.futures import PrefectFuture
from prefect.states import Failed
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner
from prefect.tasks import Task

from core.errors import MaskflowError
from core.memory import MemoryUse
from core.store.manifest import read_valid
from tasks.cancellation import watch_flow_run
from tasks.devices.choice import Devices
from tasks.devices.pool import DeviceSlots
from tasks.devices.slots import MAX_SLOTS
from tasks.items import Item, Outcome, Stage, item_key
from tasks.making import Place, make_item, places
from tasks.progress import StageProgress
from tasks.store import RunStore

_SHOW_EVERY_S = 0.25
Settled = Callable[[State[Any]], None]


class RunCancelled(MaskflowError):
    """The flow run was cancelled; what was finished is kept, a re-run goes on from there."""


class Crew(Protocol):
    """Who makes the items: this host's slots, or a cluster's nodes."""

    @property
    def closed(self) -> bool:
        """Whether nothing is made any more, because the run was cancelled."""
        ...

    def submit(self, task: Task[..., Any], parameters: dict[str, Any], settled: Settled) -> None:
        """Have a task run; `settled` gets its final state, from some thread."""
        ...

    def close(self) -> None:
        """End what is being made, at once; from any thread, more than once."""
        ...


@dataclass(frozen=True, eq=False)
class ItemRun:
    """A flow run's state folder and crew, and what became of its items so far. Made by `item_run`."""

    store: RunStore
    crew: Crew
    progress: dict[str, StageProgress]
    made: list[tuple[Stage, Outcome]] = field(default_factory=list)


class _ThisHost:
    """Items on this host: each task waits in a thread of the flow for a slot."""

    def __init__(self, slots: DeviceSlots) -> None:
        self._slots = slots
        self.close = slots.close

    @property
    def closed(self) -> bool:
        return self._slots.closed

    def submit(self, task: Task[..., Any], parameters: dict[str, Any], settled: Settled) -> None:
        def done(future: PrefectFuture[Any]) -> None:
            future.wait()  # it is done; this lets it know its final state
            settled(future.state)

        task.submit(**parameters).add_done_callback(done)


@contextmanager
def item_run(store: RunStore, devices: Devices, items: int | None) -> Iterator[ItemRun]:
    """Hold what running items needs; on leaving, or when the flow run is cancelled, the workers end at once.

    Args:
        store: the run's state folder.
        devices: what the items may use, and where.
        items: how many can run at once, where known: fewer than there are slots share all cores.
    """
    context = FlowRunContext.get()
    if context is None or context.flow_run is None:
        raise RuntimeError("items run inside a flow run")
    flow_run_id = context.flow_run.id
    progress: dict[str, StageProgress] = {}

    def on_progress(key: str, done: int, expected: int | None, memory: MemoryUse) -> None:
        for stage in list(progress.values()):
            stage.frames(key, done, expected, memory)

    with ExitStack() as open_:
        open_.callback(store.digests.save)
        if devices.cluster is not None:
            from tasks.cluster.crew import ClusterCrew  # Dask is loaded only where it is used

            crew: Crew = open_.enter_context(ClusterCrew(store, devices, items, flow_run_id, on_progress))
        else:
            slots = open_.enter_context(DeviceSlots(devices.slots(), on_progress, items))
            place = Place(store, slots)
            places[flow_run_id] = lambda: place
            open_.callback(places.pop, flow_run_id)
            crew = _ThisHost(slots)
        open_.enter_context(watch_flow_run(flow_run_id, crew.close))
        try:
            yield ItemRun(store, crew, progress)
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
    resume: bool = True,
    settled: Callable[[Outcome], None] = lambda _: None,
) -> list[Outcome]:
    """Make every item that is not there yet; outcomes in the order of `items`.

    Items with equal keys are made once. A hit counts only while its outputs are there, unaltered; without `resume`
    nothing counts. `settled` is called with each outcome as soon as it is known, one after another.

    Raises:
        RunCancelled: the flow run was cancelled meanwhile.
    """
    run.store.sweep(stage.task_name)
    by_key = {item_key(stage, item): item for item in reversed(items)}
    progress = StageProgress(stage.name, {k: i.cost for k, i in by_key.items()}, {k: i.name for k, i in by_key.items()})
    run.progress[stage.function] = progress
    finished: queue.Queue[tuple[str, State[Any]]] = queue.Queue()
    block = run.store.results_block()

    def submit(key: str) -> None:
        item, folder = by_key[key], run.store.item_folder(stage.task_name, key)
        if not resume:
            shutil.rmtree(folder, ignore_errors=True)
        valid = read_valid(folder, key, run.store.digests.file) is not None
        configured = make_item.with_options(
            name=stage.name, task_run_name=item.name, result_storage=block, refresh_cache=not valid
        )
        parameters = {
            "key": key, "name": item.name, "stage": stage,
            "request": item.request, "inputs": item.inputs, "cost": item.cost,
        }  # fmt: skip
        run.crew.submit(configured, parameters, partial(_put, finished, key))

    chain = _Chain(stage, by_key, submit)
    for key, item in sorted(by_key.items(), key=lambda pair: -pair[1].cost):
        if item.after is None:
            submit(key)
    alike: dict[str, list[Item]] = defaultdict(list)
    for item in items:
        alike[item_key(stage, item)].append(item)
    outcomes: dict[str, Outcome] = {}

    def note(key: str, state: State[Any]) -> None:
        outcomes[key] = _outcome(run, stage.task_name, key, by_key[key], state)
        for item in alike[key]:
            settled(replace(outcomes[key], item=item))

    _collect(finished, len(by_key), progress, chain, note)
    if run.crew.closed:
        raise RunCancelled("the run was cancelled; finished items are kept, run it again to go on")
    told = [replace(outcomes[item_key(stage, item)], item=item) for item in items]
    run.made.extend((stage, outcome) for outcome in told)
    return told


def _put(finished: "queue.Queue[tuple[str, State[Any]]]", key: str, state: State[Any]) -> None:
    finished.put((key, state))


class _Chain:
    """Items that go on from other items: submitted when those are done, failed when those have failed."""

    def __init__(self, stage: Stage, items: dict[str, Item], submit: Callable[[str], None]) -> None:
        self._items = items
        self._submit = submit
        self._after: dict[str, list[str]] = defaultdict(list)
        for key, item in items.items():
            if item.after is not None:
                self._after[item_key(stage, item.after)].append(key)

    def settle(self, key: str, state: State[Any]) -> dict[str, State[Any]]:
        """An item is done or has failed: start what goes on from it, or tell what cannot be tried."""
        if state.is_completed():
            for following in self._after[key]:
                self._submit(following)
            return {}
        not_tried: dict[str, State[Any]] = {}
        failed = [key]
        while failed:
            lost = failed.pop()
            for following in self._after[lost]:
                not_tried[following] = Failed(message=f"not tried, because it goes on from {self._items[lost].name}")
                failed.append(following)
        return not_tried


def _collect(
    finished: "queue.Queue[tuple[str, State[Any]]]",
    expected: int,
    progress: StageProgress,
    chain: _Chain,
    note: Callable[[str, State[Any]], None],
) -> None:
    """Wait for all items; `note` each final state."""
    while expected:
        try:
            key, state = finished.get(timeout=_SHOW_EVERY_S)
            settled = {key: state} | chain.settle(key, state)
            expected -= len(settled)
            for one, told in settled.items():
                progress.finished(one)
                note(one, told)
        except queue.Empty:
            pass
        progress.show()
    progress.show(last=True)


def _outcome(run: ItemRun, task_name: str, key: str, item: Item, state: State[Any]) -> Outcome:
    folder = run.store.item_folder(task_name, key)
    if state.is_completed():
        record = dict(state.result())
        ran = record.pop("ran", {})
        return Outcome(item, folder, record, state.name == "Cached", None, ran)
    error = state.result(raise_on_failure=False) if state.data is not None else None
    reason = str(error) if isinstance(error, MaskflowError) else state.message
    return Outcome(item, folder, None, False, reason or state.name or "failed")
