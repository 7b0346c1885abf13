"""One stage of a run: its items are prepared, submitted and collected. Whatever goes wrong, each gets an outcome."""

import queue
import shutil
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from prefect.client.schemas.objects import State
from prefect.filesystems import LocalFileSystem
from prefect.logging import get_logger
from prefect.states import Cancelled, Failed

from core.errors import MaskflowError, RefusedInput
from core.progress import Progress
from core.store.cache import mark_used
from core.store.manifest import begun_folder
from core.text import one_line
from tasks.crews.crew import Crew
from tasks.items import Item, Outcome, Stage, item_key
from tasks.making import make_item
from tasks.reporting.delivery import undelivered
from tasks.reporting.progress import StageProgress
from tasks.store import RunStore

Prepare = Callable[[Item, Progress], Item]
_SHOW_EVERY_S = 0.25
_SILENCE_S = 60.0
_PREPARED_AT_ONCE = 4
_MOST_NAMES = 5
_log = get_logger("maskflow.running")


class StageRun:
    """Submits every item and waits for all. See `run_items`; use it from one thread, once."""

    def __init__(
        self,
        store: RunStore,
        crew: Crew,
        results: LocalFileSystem,
        stage: Stage,
        items: Sequence[Item],
        resume: bool,
        settled: Callable[[Outcome], None],
        prepare: Prepare | None,
    ) -> None:
        self._store = store
        self._crew = crew
        self._results = results
        self._stage = stage
        self._resume = resume
        self._settled = settled
        self._prepare = prepare
        self._items = list(items)
        self._outcomes: dict[int, Outcome] = {}
        self._places: dict[str, list[int]] = defaultdict(list)
        self._after: dict[str, list[str]] = defaultdict(list)
        self._states: dict[str, State[Any]] = {}
        self._prepared: queue.SimpleQueue[tuple[int, Item | BaseException]] = queue.SimpleQueue()
        self._finished: queue.Queue[tuple[str, State[Any]]] = queue.Queue()
        self.progress = StageProgress(stage.name, sum(one.cost for one in self._items), len(self._items))

    def finish(self) -> list[Outcome]:
        """Make all items; outcomes in their order."""
        by_cost = sorted(range(len(self._items)), key=lambda place: -self._items[place].cost)
        preparing = ThreadPoolExecutor(_PREPARED_AT_ONCE, "prepare-items")
        try:
            waiting = [self._begin(preparing, place) for place in by_cost]
            self._collect(waiting)
        finally:
            preparing.shutdown(wait=False, cancel_futures=True)
        return [self._outcomes[place] for place in range(len(self._items))]

    def _begin(self, preparing: ThreadPoolExecutor, place: int) -> "Future[None] | None":
        if self._prepare is not None:
            return preparing.submit(self._prepare_one, self._prepare, place)
        self._add(place, self._items[place])
        return None

    def _prepare_one(self, prepare: Prepare, place: int) -> None:
        item, key = self._items[place], f"preparing {place}"
        self.progress.known(key, f"reading {item.name}", 0.0)

        def report(done: int, expected: int | None) -> None:
            if self._crew.closed:
                raise MaskflowError("the run was cancelled")
            self.progress.frames(key, done, expected)

        try:
            self._prepared.put((place, prepare(item, report)))
        except BaseException as error:  # noqa: BLE001 - handed over: the item's failure
            self._prepared.put((place, error))
        self.progress.forget(key)

    def _add(self, place: int, item: Item) -> None:
        """An item whose inputs are known: it is submitted, unless another is the same or has to be done before it."""
        self._items[place] = item
        try:
            key = item_key(self._stage, item)
        except Exception as error:  # noqa: BLE001 - inputs that cannot be written as JSON: that item's failure
            self._note(place, Failed(message=f"its inputs cannot be used: {error}"), item.name)
            return
        self._places[key].append(place)
        if len(self._places[key]) > 1:
            self.progress.same(item.cost)
            if key in self._states:
                self._note(place, self._states[key], key)
            return
        self.progress.known(key, item.name, item.cost)
        if item.after is None:
            self._submit(key)
            return
        before = item_key(self._stage, item.after)
        self._after[before].append(key)
        if before in self._states:
            self._follow(before)

    def _submit(self, key: str) -> None:
        item = self._items[self._places[key][0]]
        try:
            folder = self._store.item_folder(self._stage.task_name, key)
            if not self._resume:
                shutil.rmtree(folder, ignore_errors=True)
                shutil.rmtree(begun_folder(folder), ignore_errors=True)
            # `make_item` looks for what is there and valid, in its own thread: Prefect's record alone proves nothing.
            task = make_item.with_options(name=self._stage.name, result_storage=self._results, refresh_cache=True)
            parameters = {
                "key": key, "name": item.name, "stage": self._stage,
                "request": item.request, "inputs": item.inputs, "cost": item.cost,
            }  # fmt: skip
            self._crew.submit(task, parameters, lambda state: self._finished.put((key, state)))
        except Exception as error:  # noqa: BLE001 - whatever it is, only this item cannot be tried
            self._finished.put((key, Failed(message=f"it could not be started: {type(error).__name__}: {error}")))

    def _collect(self, preparing: Sequence["Future[None] | None"]) -> None:
        """Wait for all items, and say what is waited for where nothing happens for a minute."""
        reported_s = time.monotonic()
        while len(self._outcomes) < len(self._items):
            self._take_prepared()
            try:
                key, state = self._finished.get(timeout=_SHOW_EVERY_S)
                self._settle(key, state)
            except queue.Empty:
                pass
            if self._crew.closed:
                self._give_up_preparing(preparing)
            silent_since_s = max(reported_s, self.progress.heard_s)
            if time.monotonic() - silent_since_s >= _SILENCE_S:
                reported_s = time.monotonic()
                _log.warning(self._what_is_waited_for())
            self.progress.show()
        self.progress.show(last=True)

    def _take_prepared(self) -> None:
        while not self._prepared.empty():
            place, item = self._prepared.get()
            if isinstance(item, Item):
                self._add(place, item)
            else:
                known = isinstance(item, MaskflowError | OSError | ValueError)
                reason = _reason(item) if known else f"{type(item).__name__}: {item}"
                self._note(place, Failed(message=reason), self._items[place].name)

    def _give_up_preparing(self, preparing: Sequence["Future[None] | None"]) -> None:
        """The run is cancelled: what has no key yet is not submitted any more."""
        for future in preparing:
            if future is not None:
                future.cancel()
        known = {place for places in self._places.values() for place in places}
        for place in range(len(self._items)):
            if place not in known and place not in self._outcomes:
                self._note(place, Cancelled(message="the run was cancelled"), self._items[place].name)

    def _settle(self, key: str, state: State[Any]) -> None:
        if key in self._states:  # reported twice: the first counts
            return
        self._states[key] = state
        self.progress.finished(key)
        for place in list(self._places[key]):
            self._note(place, state, key)
        self._follow(key)

    def _follow(self, key: str) -> None:
        """An item is done or has failed: start what goes on from it, or fail what cannot be tried."""
        following = self._after.pop(key, [])
        if self._states[key].is_completed():
            for one in following:
                self._submit(one)
            return
        name = self._items[self._places[key][0]].name
        for one in following:
            self._settle(one, Failed(message=f"not tried, because it goes on from {name}"))

    def _note(self, place: int, state: State[Any], key: str) -> None:
        """An item's final state becomes its outcome, and goes to the stage's callback."""
        outcome = self._outcome(place, state, key)
        try:
            self._settled(outcome)
        except (OSError, RefusedInput) as error:
            outcome = replace(outcome, record=None, reason=undelivered(error))
        except Exception as error:  # noqa: BLE001 - logged with its traceback; the others go on
            _log.exception("%s: its outcome could not be used", one_line(outcome.item.name))
            outcome = replace(outcome, record=None, reason=f"{type(error).__name__}: {error}")
        self._outcomes[place] = outcome

    def _outcome(self, place: int, state: State[Any], key: str) -> Outcome:
        item = self._items[place]
        folder = self._store.item_folder(self._stage.task_name, key)
        try:
            if state.is_completed():
                record = dict(state.result())
                ran = record.pop("ran", {})
                mark_used(folder)
                return Outcome(item, folder, record, state.name == "Cached", None, ran, key)
            error = state.result(raise_on_failure=False) if state.data is not None else None
        except Exception as lost:  # noqa: BLE001 - Prefect's record of it cannot be read
            return Outcome(item, folder, None, False, f"its result cannot be read: {type(lost).__name__}: {lost}")
        reason = str(error) if isinstance(error, MaskflowError) else state.message
        return Outcome(item, folder, None, False, reason or state.name or "failed")

    def _what_is_waited_for(self) -> str:
        running = [f"{one_line(name, 80)} ({done} of {total or '?'})" for name, done, total in self.progress.running()]
        left = len(self._items) - len(self._outcomes)
        begun = ", ".join(running[:_MOST_NAMES]) or "none of them has reported progress"
        silent = f"Nothing has happened for {_SILENCE_S:.0f} s in stage {self._stage.name}"
        return f"{silent}: {left} items are not done, of which at work: {begun}"


def _reason(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error) or type(error).__name__
