"""One stage of a run: its items are prepared, made and collected. Whatever goes wrong, each gets an outcome."""

import queue
import time
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from prefect.client.schemas.objects import State
from prefect.logging import get_logger

from core.addresses.remote import AddressError
from core.errors import MaskflowError, RefusedInput
from core.store.cache import mark_used
from core.text import one_line
from tasks.batches import ReadyItems
from tasks.crews.crew import Crew
from tasks.elsewhere import sources_in
from tasks.estimates.predicting import Predictor
from tasks.items import Item, Made, Order, Outcome, Stage, item_key
from tasks.making import make_items
from tasks.preparing import CANCELLED, Inputs, Preparation, Prepared, RunMode, remove
from tasks.reporting.delivery import undelivered
from tasks.reporting.progress import StageProgress
from tasks.store import RunStore

_SHOW_EVERY_S = 0.25
_SILENCE_S = 60.0
_MOST_NAMES = 5
_log = get_logger("maskflow.running")


class StageRun:
    """Makes every item that is not there yet. See `run_items`; use it from one thread, once."""

    def __init__(
        self,
        store: RunStore,
        crew: Crew,
        stage: Stage,
        items: Sequence[Item],
        predictor: Predictor,
        mode: RunMode,
        settled: Callable[[Outcome], None] = lambda _: None,
        inputs: Inputs | None = None,
    ) -> None:
        self._store = store
        self._crew = crew
        self._stage = stage
        self._predictor = predictor
        self._mode = mode
        self._settled = settled
        self._items = list(items)
        self._outcomes: dict[int, Outcome] = {}
        self._places: dict[str, list[int]] = defaultdict(list)
        self._after: dict[str, list[Prepared]] = defaultdict(list)
        self._made: dict[str, Made] = {}
        self._to_settle: deque[Made] = deque()
        self._ready = ReadyItems()
        self._at_work = 0
        self._news: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()  # of other threads, for this one
        self.to_do: list[Item] = []
        self._task = make_items.with_options(name=stage.name)
        self.progress = StageProgress(stage.name, sum(one.cost for one in self._items), len(self._items))
        self._inputs = inputs or Inputs()
        self._inputs.slots = len(crew.devices)
        self._preparation = Preparation(store, stage, self._inputs, mode, self.progress, lambda: crew.closed)

    def finish(self) -> list[Outcome]:
        """Make all items; outcomes in their order."""
        by_cost = sorted(enumerate(self._items), key=lambda one: -one[1].cost)
        with self._preparation:
            self._preparation.start(by_cost, lambda place, one: self._news.put(partial(self._add, place, one)))
            self._collect()
        outcomes = [self._outcomes[place] for place in range(len(self._items))]
        cached = sum(one.cached for one in outcomes)
        if cached:
            _log.info("%s: %d of %d items were there already", self._stage.name, cached, len(outcomes))
        return outcomes

    def _collect(self) -> None:
        """Wait for all items, and say what is waited for where nothing happens for a minute."""
        reported_s = time.monotonic()
        while len(self._outcomes) < len(self._items):
            self._take_news()
            if self._crew.closed:
                self._give_up()
            self._submit_ready()
            silent_since_s = max(reported_s, self.progress.heard_s)
            if time.monotonic() - silent_since_s >= _SILENCE_S:
                reported_s = time.monotonic()
                _log.warning(self._what_is_waited_for())
            self.progress.show()
        self.progress.show(last=True)

    def _take_news(self) -> None:
        try:
            self._news.get(timeout=_SHOW_EVERY_S)()
            while True:
                self._news.get_nowait()()
        except queue.Empty:
            return

    def _add(self, place: int, prepared: Prepared | str) -> None:
        """An item whose inputs are known: it is made, unless another is the same or has to be done before it."""
        if place in self._outcomes:  # given up meanwhile
            if isinstance(prepared, Prepared):
                self._inputs.release(prepared.item)
            return
        if isinstance(prepared, str):
            self._fail(place, prepared)
            return
        self._items[place] = item = prepared.item
        key = prepared.key
        self._places[key].append(place)
        if len(self._places[key]) > 1:
            self.progress.same(item.cost)
            if key in self._made:
                self._note(place, self._made[key])
            return
        self.progress.known(key, item.name, item.cost)
        if item.after is None:
            self._begin(prepared)
            return
        before = item_key(self._stage, item.after)
        self._after[before].append(prepared)
        if before in self._made:
            self._follow(before)

    def _fail(self, place: int, reason: str) -> None:
        """An item that cannot be made: what goes on from it fails, too."""
        item = self._items[place]
        try:
            key = item_key(self._stage, item)
        except (TypeError, ValueError, RecursionError):  # nothing goes on from what has no key
            key = f"place {place}"
        if key in self._made or key in self._places:  # as others whose content is not known either
            self._note(place, Made(key, None, reason))
        else:
            self._places[key].append(place)
            self._settle(Made(key, None, reason))

    def _begin(self, prepared: Prepared) -> None:
        if prepared.found is not None and not self._mode.show_cached:
            self._settle(prepared.found)
            return
        if not self._mode.resume:
            self._remove(prepared)
        item = prepared.item
        self.to_do.append(item)
        expected_s = self._predictor.predict(item).seconds
        sources = sources_in(item.request) if self._store.remote is not None else {}
        self._ready.add(
            [Order(prepared.key, item.name, item.inputs, item.request, expected_s, sources, not self._mode.resume)]
        )

    def _remove(self, prepared: Prepared) -> None:
        try:
            remove(self._store, self._stage, prepared.key)
        except AddressError as error:
            _log.warning("%s: what is there of it cannot be removed: %s", one_line(prepared.item.name), error)

    def _submit_ready(self) -> None:
        """Have as many tasks at work as there are slots, and as many again that wait: the longest items first."""
        while len(self._ready) and not self._crew.closed and self._at_work < 2 * (slots := len(self._crew.devices)):
            self._submit(self._ready.take(slots))

    def _submit(self, orders: Sequence[Order]) -> None:
        self._at_work += 1
        parameters = {"orders": list(orders), "stage": self._stage}
        try:
            self._crew.submit(self._task, parameters, partial(self._became, orders))
        except Exception as error:  # noqa: BLE001 - whatever it is, only these items cannot be tried
            reason = f"it could not be started: {type(error).__name__}: {error}"
            self._finished(orders, [Made(order.key, None, reason) for order in orders])

    def _became(self, orders: Sequence[Order], state: State[list[Made]]) -> None:
        """In some thread: a task has ended. What another host has made comes here."""
        try:
            made = [self._here(one) for one in _made_of(orders, state)]
        except Exception as error:  # noqa: BLE001 - an item without an outcome would be waited for for ever
            made = [Made(order.key, None, f"{type(error).__name__}: {error}") for order in orders]
        self._news.put(partial(self._finished, orders, made))

    def _here(self, made: Made) -> Made:
        folder = self._store.item_folder(self._stage.task_name, made.key)
        if made.record is None or self._store.remote is None or folder.exists():
            return made
        try:
            if self._store.remote.pull(self._stage.task_name, folder, look=True):
                return made
            return Made(made.key, None, "made on another host, but it is not where the outputs belong")
        except AddressError as error:
            return Made(made.key, None, f"made on another host, and not to be had: {error}")

    def _finished(self, orders: Sequence[Order], made: list[Made]) -> None:
        self._at_work -= 1
        tried = {one.key for one in made}
        for one in made:
            self._settle(one)
        self._ready.add(order for order in orders if order.key not in tried and order.key not in self._made)

    def _give_up(self) -> None:
        """The run is cancelled: what has not begun is not submitted any more."""
        self._preparation.cancel()
        for order in self._ready.clear():
            self._settle(Made(order.key, None, CANCELLED))
        known = {place for places in self._places.values() for place in places}
        for place in range(len(self._items)):
            if place not in known and place not in self._outcomes:
                self._fail(place, CANCELLED)

    def _settle(self, made: Made) -> None:
        """An item is done or has failed, and so have, one after another, those that go on from it and are there."""
        self._to_settle.append(made)
        if len(self._to_settle) > 1:  # by an item that is being settled
            return
        while self._to_settle:
            one = self._to_settle[0]
            if one.key not in self._made:  # else it is reported twice: the first counts
                self._made[one.key] = one
                self.progress.finished(one.key)
                for place in list(self._places[one.key]):
                    self._note(place, one)
                self._follow(one.key)
            self._to_settle.popleft()

    def _follow(self, key: str) -> None:
        """An item is done or has failed: start what goes on from it, or fail what cannot be tried."""
        following = self._after.pop(key, [])
        if self._made[key].record is not None:
            for one in following:
                self._begin(one)
            return
        name = self._items[self._places[key][0]].name
        for one in following:
            self._settle(Made(one.key, None, f"not tried, because it goes on from {name}"))

    def _note(self, place: int, made: Made) -> None:
        """What became of an item is its outcome, and goes to the stage's callback."""
        outcome = self._outcome(self._items[place], made)
        self._inputs.release(self._items[place])
        try:
            self._settled(outcome)
        except (OSError, RefusedInput) as error:
            outcome = replace(outcome, record=None, reason=undelivered(error))
        except Exception as error:  # noqa: BLE001 - logged with its traceback; the others go on
            _log.exception("%s: its outcome could not be used", one_line(outcome.item.name))
            outcome = replace(outcome, record=None, reason=f"{type(error).__name__}: {error}")
        self._outcomes[place] = outcome

    def _outcome(self, item: Item, made: Made) -> Outcome:
        folder = self._store.item_folder(self._stage.task_name, made.key)
        if made.record is None:
            return Outcome(item, folder, None, False, made.reason or "failed")
        record = dict(made.record)
        ran = record.pop("ran", {})
        mark_used(folder)
        return Outcome(item, folder, record, made.cached, None, ran, made.key)

    def _what_is_waited_for(self) -> str:
        running = [f"{one_line(name, 80)} ({done} of {total or '?'})" for name, done, total in self.progress.running()]
        left = len(self._items) - len(self._outcomes)
        begun = ", ".join(running[:_MOST_NAMES]) or "none of them has reported progress"
        silent = f"Nothing has happened for {_SILENCE_S:.0f} s in stage {self._stage.name}"
        return f"{silent}: {left} items are not done, of which at work: {begun}"


def _made_of(orders: Sequence[Order], state: State[list[Made]]) -> list[Made]:
    """What became of the items of a task that has ended; of those it did not try, nothing."""
    try:
        result = state.result(raise_on_failure=False) if state.data is not None else None
        if isinstance(result, list) and result:
            return result
        reason = str(result) if isinstance(result, MaskflowError) else state.message
    except Exception as lost:  # noqa: BLE001 - Prefect's record of it cannot be read
        reason = f"its result cannot be read: {type(lost).__name__}: {lost}"
    return [Made(order.key, None, reason or state.name or "failed") for order in orders]
