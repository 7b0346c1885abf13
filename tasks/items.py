"""Items: what a flow's work is split into. Each is one cached Prefect task that runs in a device worker.

A new flow writes its plan (a list of `Item`) and its item function (in `core`); caching, resume, devices, retries
and progress are here.
"""

import queue
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, cast

from prefect import task
from prefect.cache_policies import CachePolicy
from prefect.client.schemas.objects import State, TaskRun
from prefect.context import FlowRunContext, TaskRunContext
from prefect.futures import PrefectFuture
from prefect.logging import get_run_logger
from prefect.states import Cancelled, Completed, Failed
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner
from prefect.tasks import Task

from core.errors import MaskflowError
from core.memory import MemoryUse
from core.store.digests import sha256_json
from core.store.manifest import read_valid
from tasks.cancellation import watch_for_cancellation
from tasks.devices.pool import DeviceSlots, SlotsClosed
from tasks.devices.process import WorkerDied
from tasks.devices.slots import MAX_SLOTS, Slot
from tasks.progress import StageProgress
from tasks.store import RunStore

# Part of every key: raise it when the files items leave change their form or content.
FORMAT_VERSION = 1
_SHOW_EVERY_S = 0.25


@dataclass(frozen=True)
class Stage:
    """A kind of item: `name` for people, `function` as `module:name` in `core`, `describe` for the log."""

    name: str
    function: str
    describe: Callable[[dict[str, Any]], list[str]]

    @property
    def task_name(self) -> str:
        """Name of the function, and of the folder its items are in."""
        return self.function.rpartition(":")[2]


@dataclass(frozen=True)
class Item:
    """One piece of work.

    Attributes:
        name: as people know it (the path in the list).
        inputs: everything the result depends on, JSON-able, by content: its digest is the key.
        request: the item function's argument; may hold paths, which the key must not depend on.
        cost: expected work, in any unit; the costliest go first.
        after: the item of the same stage whose outputs this one goes on from: it waits for that, and fails with it.
    """

    name: str
    inputs: dict[str, Any]
    request: dict[str, Any]
    cost: float
    after: "Item | None" = None


@dataclass(frozen=True)
class Outcome:
    """What became of an item: its record and folder, or the reason why there is none."""

    item: Item
    folder: Path
    record: dict[str, Any] | None
    cached: bool
    reason: str | None


class RunCancelled(MaskflowError):
    """The flow run was cancelled; what was finished is kept, a re-run goes on from there."""


class _ContentKey(CachePolicy):
    """The item's key and nothing else: not the path, not the flow run, not the device."""

    def compute_key(
        self,
        task_ctx: TaskRunContext,  # noqa: ARG002 - Prefect calls it by these names
        inputs: dict[str, Any],
        flow_parameters: dict[str, Any],  # noqa: ARG002
        **kwargs: Any,  # noqa: ARG002
    ) -> str | None:
        return str(inputs["key"])


@dataclass(frozen=True, eq=False)
class ItemRun:
    """A flow run's store and slots. Made by `item_run`."""

    store: RunStore
    slots: DeviceSlots
    stages: dict[str, Stage]
    progress: dict[str, StageProgress]


_current: ContextVar[ItemRun] = ContextVar("maskflow_item_run")


@contextmanager
def item_run(store: RunStore, slots: Sequence[Slot], items: int) -> Iterator[ItemRun]:
    """Hold what running so many items needs; on leaving, or when the flow run is cancelled, the workers end at once."""
    context = FlowRunContext.get()
    if context is None or context.flow_run is None:
        raise RuntimeError("items run inside a flow run")
    progress: dict[str, StageProgress] = {}

    def on_progress(key: str, done: int, expected: int | None, memory: MemoryUse) -> None:
        for stage in list(progress.values()):
            stage.frames(key, done, expected, memory)

    with DeviceSlots(slots, on_progress, items) as device_slots:
        run = ItemRun(store, device_slots, {}, progress)
        token = _current.set(run)
        try:
            with watch_for_cancellation(context.flow_run.id, device_slots.close):
                try:
                    yield run
                except BaseException:
                    device_slots.close()  # before anything that may wait
                    raise
        finally:
            _current.reset(token)
            store.digests.save()


def item_runner() -> TaskRunner[PrefectFuture[Any]]:
    """The task runner of a flow of items: threads that wait for a slot; the slots are the real limit."""
    return cast(TaskRunner[PrefectFuture[Any]], ThreadPoolTaskRunner(max_workers=MAX_SLOTS))


def item_key(stage: Stage, item: Item) -> str:
    """The item's cache key: stage, format version and inputs; 64 hex digits."""
    return sha256_json([stage.name, FORMAT_VERSION, item.inputs])


def _worth_another(_task: Task[..., Any], _task_run: TaskRun, state: State[Any]) -> bool:
    error = state.result(raise_on_failure=False)
    return isinstance(error, WorkerDied) and not _current.get().slots.closed


@task(
    cache_policy=_ContentKey(),
    persist_result=True,
    result_serializer="json",
    retries=2,
    retry_condition_fn=_worth_another,
)
def make_item(key: str, name: str, function: str, request: dict[str, Any], inputs: dict[str, Any], cost: float) -> Any:
    """Make one item in a device worker; its record, or a failed state that tells why."""
    run, log = _current.get(), get_run_logger()
    folder = run.store.item_folder(function.rpartition(":")[2], key)
    done = read_valid(folder, key, run.store.digests.file)
    if done is not None:  # finished by a run that was killed before Prefect heard of it
        return Completed(name="Cached", data=done.record)
    device = ""

    def started(slot: Slot) -> None:
        nonlocal device
        device = slot.device
        log.info("[%s] Processing: %s", device, name)

    try:
        record = run.slots.run_item(cost, started, function, request, str(folder), key, inputs)
    except SlotsClosed as error:
        return Cancelled(message=str(error))
    except WorkerDied as error:
        log.warning("[%s] %s: %s", device, name, error)
        raise
    except MaskflowError as error:
        log.warning("[%s] ✗ Failed: %s: %s", device, name, error)
        return Failed(message=str(error))
    except Exception as error:  # a bug in one item is that item's failure, told with its traceback
        log.exception("[%s] ✗ Failed: %s", device, name)
        return Failed(message=f"{type(error).__name__}: {error}")
    log.info("[%s] ✓ Completed: %s", device, name)
    for line in run.stages[function].describe(record):
        log.info("[%s]   - %s", device, line)
    return Completed(data=record)


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
    task_name = stage.task_name
    run.store.sweep(task_name)
    by_key = {item_key(stage, item): item for item in reversed(items)}
    progress = StageProgress(stage.name, {k: i.cost for k, i in by_key.items()}, {k: i.name for k, i in by_key.items()})
    run.stages[stage.function], run.progress[stage.function] = stage, progress
    finished: queue.Queue[tuple[str, PrefectFuture[Any]]] = queue.Queue()
    block = run.store.results_block()

    def submit(key: str) -> None:
        item, folder = by_key[key], run.store.item_folder(task_name, key)
        if not resume:
            shutil.rmtree(folder, ignore_errors=True)
        valid = read_valid(folder, key, run.store.digests.file) is not None
        configured = make_item.with_options(
            name=stage.name, task_run_name=item.name, result_storage=block, refresh_cache=not valid
        )
        future = configured.submit(key, item.name, stage.function, item.request, item.inputs, item.cost)
        future.add_done_callback(partial(_put, finished, key))

    chain = _Chain(stage, by_key, submit)
    for key, item in sorted(by_key.items(), key=lambda pair: -pair[1].cost):
        if item.after is None:
            submit(key)
    alike: dict[str, list[Item]] = defaultdict(list)
    for item in items:
        alike[item_key(stage, item)].append(item)
    outcomes: dict[str, Outcome] = {}

    def note(key: str, state: State[Any]) -> None:
        outcomes[key] = _outcome(run, task_name, key, by_key[key], state)
        for item in alike[key]:
            settled(replace(outcomes[key], item=item))

    _collect(finished, len(by_key), progress, chain, note)
    if run.slots.closed:
        raise RunCancelled("the run was cancelled; finished items are kept, run it again to go on")
    return [replace(outcomes[item_key(stage, item)], item=item) for item in items]


def _put(finished: "queue.Queue[tuple[str, PrefectFuture[Any]]]", key: str, future: PrefectFuture[Any]) -> None:
    finished.put((key, future))


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
    finished: "queue.Queue[tuple[str, PrefectFuture[Any]]]",
    expected: int,
    progress: StageProgress,
    chain: _Chain,
    note: Callable[[str, State[Any]], None],
) -> None:
    """Wait for all items; `note` each final state."""
    while expected:
        try:
            key, future = finished.get(timeout=_SHOW_EVERY_S)
            future.wait()  # it is done; this lets it know its final state
            settled = {key: future.state} | chain.settle(key, future.state)
            expected -= len(settled)
            for one, state in settled.items():
                progress.finished(one)
                note(one, state)
        except queue.Empty:
            pass
        progress.show()
    progress.show(last=True)


def _outcome(run: ItemRun, task_name: str, key: str, item: Item, state: State[Any]) -> Outcome:
    folder = run.store.item_folder(task_name, key)
    if state.is_completed():
        return Outcome(item, folder, state.result(), state.name == "Cached", None)
    error = state.result(raise_on_failure=False) if state.data is not None else None
    reason = str(error) if isinstance(error, MaskflowError) else state.message
    return Outcome(item, folder, None, False, reason or state.name or "failed")
