"""Before an item is made: its inputs are completed, and what is there of it already is looked for; in threads."""

import shutil
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from core.errors import MaskflowError
from core.progress import Progress
from core.store.manifest import begun_folder, read_valid
from tasks.items import Item, Made, Stage, item_key
from tasks.reporting.progress import StageProgress
from tasks.store import RunStore

CANCELLED = "the run was cancelled"
_AT_ONCE = 4


class Unknown(MaskflowError):
    """What an item is made of is not known before it is fetched."""


class Inputs:
    """How the inputs of a stage's items are completed, in threads, while others are already being made.

    These items are complete as they are. An `OSError`, `ValueError` or `MaskflowError` fails the item.
    """

    slots = 1
    """How many items are made at once."""

    def identify(self, item: Item, report: Progress) -> Item:  # noqa: ARG002 - of those that read
        """The item with all that its key is made of; `report` gets how far that is, and may raise to end it."""
        return item

    def peek(self, item: Item, report: Progress) -> Item:
        """The same for a plan. Raises `Unknown` where that would take fetching."""
        return self.identify(item, report)

    def fetch_bytes(self, item: Item) -> int:  # noqa: ARG002
        """What would have to be fetched to make it."""
        return 0

    def supply(self, item: Item, report: Progress) -> Item:  # noqa: ARG002
        """An item that is to be made, with all its files here."""
        return item

    def release(self, item: Item) -> None:
        """An item is made, or was there already: its files are needed no more."""


@dataclass(frozen=True)
class RunMode:
    """What a run does with its items.

    Attributes:
        resume: those that are there already are kept; else all are made anew.
        show_cached: each that is there already is shown as a task run; else they are settled from their manifests.
        only_plan: none is made; what there is to do, and what that takes, is shown.
    """

    resume: bool = True
    show_cached: bool = False
    only_plan: bool = False


@dataclass(frozen=True)
class Prepared:
    """An item whose inputs are known, with its key, and what is there of it already."""

    item: Item
    key: str
    found: Made | None


def _key(stage: Stage, item: Item) -> str:
    try:
        return item_key(stage, item)
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"its inputs cannot be used: {error}") from None


def found(store: RunStore, stage: Stage, key: str, deliver: bool = True) -> Made | None:
    """An item that is there already, whole and unaltered: here, or where the run's outputs belong.

    With `deliver`, one that is only here is put there, too.

    Raises:
        AddressError: it is here, and cannot be delivered.
    """
    folder = store.item_folder(stage.task_name, key)
    done = read_valid(folder, key, store.digests.file)
    if store.remote is not None:
        if done is not None and deliver:
            store.remote.push(stage.task_name, folder)
        elif done is None and store.remote.pull(stage.task_name, folder):
            done = read_valid(folder, key)
            if done is None:
                store.remote.forget(stage.task_name, folder)
    return None if done is None else Made(key, done.record, cached=True)


def remove(store: RunStore, stage: Stage, key: str) -> None:
    """Have an item made anew from its beginning."""
    folder = store.item_folder(stage.task_name, key)
    if store.remote is not None:
        store.remote.forget(stage.task_name, folder)
    shutil.rmtree(folder, ignore_errors=True)
    shutil.rmtree(begun_folder(folder), ignore_errors=True)


class Preparation:
    """Prepares the items of a stage, several at once. Use as a context manager; leaving it ends what is not begun."""

    def __init__(
        self,
        store: RunStore,
        stage: Stage,
        inputs: Inputs,
        mode: RunMode,
        progress: StageProgress,
        cancelled: Callable[[], bool],
    ) -> None:
        self._store = store
        self._stage = stage
        self._inputs = inputs
        self._mode = mode
        self._progress = progress
        self._cancelled = cancelled
        self._threads = ThreadPoolExecutor(_AT_ONCE, "prepare-items")
        self._begun: list[Future[None]] = []

    def start(self, items: Iterable[tuple[int, Item]], done: Callable[[int, Prepared | str], None]) -> None:
        """Begin. `done` gets each item's place, and the item or the reason why it cannot be made, from a thread."""

        def one(place: int, item: Item) -> None:
            try:
                prepared: Prepared | str = self._prepared(item, f"preparing {place}")
            except Unknown:
                prepared = Prepared(item, "", None)
            except (MaskflowError, OSError, ValueError) as error:
                prepared = _reason(error)
            except BaseException as error:  # noqa: BLE001 - handed over: the item's failure
                prepared = f"{type(error).__name__}: {error}"
            done(place, prepared)

        self._begun += [self._threads.submit(one, place, item) for place, item in items]

    def finish(self, items: Sequence[Item]) -> list[Prepared | str]:
        """Prepare them all."""
        found: dict[int, Prepared | str] = {}
        self.start(enumerate(items), found.__setitem__)
        for future in self._begun:
            future.result()
        return [found[place] for place in range(len(items))]

    def _prepared(self, item: Item, shown: str) -> Prepared:
        self._progress.known(shown, f"reading {item.name}", 0.0)
        report = self._reporter(shown)
        try:
            complete = self._inputs.peek if self._mode.only_plan else self._inputs.identify
            item = complete(item, report)
            key = _key(self._stage, item)
            there = self._found(key)
            if there is None and not self._mode.only_plan:
                item = self._inputs.supply(item, report)
        finally:
            self._progress.forget(shown)
        return Prepared(item, key, there)

    def _reporter(self, shown: str) -> Progress:
        def report(done: int, expected: int | None) -> None:
            if self._cancelled():
                raise MaskflowError(CANCELLED)
            self._progress.frames(shown, done, expected)

        return report

    def _found(self, key: str) -> Made | None:
        """What is there of an item, valid."""
        if not self._mode.resume:
            return None
        return found(self._store, self._stage, key, deliver=not self._mode.only_plan)

    def cancel(self) -> None:
        """Prepare nothing any more that has not begun."""
        for future in self._begun:
            future.cancel()

    def __enter__(self) -> "Preparation":
        return self

    def __exit__(self, *exc: object) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


def _reason(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error) or type(error).__name__
