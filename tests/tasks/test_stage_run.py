"""Whatever goes wrong on the way of an item, it gets an outcome and the run ends: with a crew that fails on purpose."""

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from prefect.client.schemas.objects import State
from prefect.states import Cancelled, Completed, Failed
from prefect.tasks import Task

from core.errors import BadMedia, MaskflowError
from core.progress import Progress
from tasks import stage_run
from tasks.estimates.history import History
from tasks.estimates.predicting import Predictor
from tasks.items import Item, Made, Order, Outcome, Stage
from tasks.preparing import Inputs, RunMode
from tasks.stage_run import StageRun
from tasks.store import RunStore

STAGE = Stage("test", "tests.none:made", lambda _: [])
Settled = Callable[[State[Any]], None]
Behaviour = Callable[[list[Order], Settled], None]


class _NoArtifact:
    """In the place of the server's."""

    def __init__(self, description: str) -> None:
        self.shown = [description]

    def update(self, percent: float, description: str) -> None:
        self.shown.append(description)


@pytest.fixture(autouse=True)
def no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tasks.reporting.progress.ProgressArtifact", _NoArtifact)


class _Crew:
    """Does with each submission what the name of its first item says."""

    def __init__(self, behaviours: dict[str, Behaviour], slots: int = 8) -> None:
        self.closed = False
        self.devices = ["cpu"] * slots
        self.submitted: list[str] = []
        self._behaviours = behaviours

    def submit(self, task: Task[..., Any], parameters: dict[str, Any], settled: Settled) -> None:
        orders = parameters["orders"]
        self.submitted.append(" ".join(order.name for order in orders))
        self._behaviours.get(orders[0].name, _done)(orders, settled)

    def close(self) -> None:
        self.closed = True


def _made(orders: list[Order]) -> list[Made]:
    return [Made(order.key, {"made": order.name}) for order in orders]


def _done(orders: list[Order], settled: Settled) -> None:
    settled(Completed(data=_made(orders)))


def _later(orders: list[Order], settled: Settled) -> None:
    threading.Timer(0.05, _done, (orders, settled)).start()


def _raises(orders: list[Order], settled: Settled) -> None:
    raise RuntimeError("cannot schedule new futures after shutdown")


def _unreadable(orders: list[Order], settled: Settled) -> None:
    settled(Completed(message="nobody knows", data=3))


def _twice(orders: list[Order], settled: Settled) -> None:
    _done(orders, settled)
    settled(Failed(message="reported again"))


class _Inputs(Inputs):
    def __init__(self, prepare: Callable[[Item, Progress], Item] | None) -> None:
        self._prepare = prepare

    def identify(self, item: Item, report: Progress) -> Item:
        return item if self._prepare is None else self._prepare(item, report)


def _item(name: str, after: Item | None = None) -> Item:
    return Item(name, {"name": name}, {}, 1.0, after)


def _run(
    tmp_path: Path,
    items: list[Item],
    behaviours: dict[str, Behaviour] | None = None,
    settled: Callable[[Outcome], None] = lambda _: None,
    prepare: Callable[[Item, Progress], Item] | None = None,
    crew: _Crew | None = None,
) -> dict[str, Outcome]:
    crew = crew or _Crew(behaviours or {})
    predictor = Predictor(History(), STAGE, 1)
    run = StageRun(RunStore(tmp_path), crew, STAGE, items, predictor, RunMode(), settled, _Inputs(prepare))
    outcomes = run.finish()
    assert [one.item.name for one in outcomes] == [one.name for one in items]
    return {one.item.name: one for one in outcomes}


def test_a_submission_that_raises_costs_its_item(tmp_path: Path) -> None:
    found = _run(tmp_path, [_item("a"), _item("b"), _item("c")], {"b": _raises, "c": _later})
    assert found["a"].record == {"made": "a"}
    assert found["b"].reason == "it could not be started: RuntimeError: cannot schedule new futures after shutdown"
    assert found["c"].record == {"made": "c"}


def test_a_result_that_cannot_be_read_costs_its_item(tmp_path: Path) -> None:
    found = _run(tmp_path, [_item("a"), _item("b")], {"a": _unreadable})
    assert found["a"].record is None
    assert found["a"].reason == "nobody knows"
    assert found["b"].reason is None


def test_an_item_that_is_told_twice_counts_once(tmp_path: Path) -> None:
    reported: list[str] = []
    found = _run(tmp_path, [_item("a"), _item("b")], {"a": _twice}, lambda one: reported.append(one.item.name))
    assert found["a"].reason is None
    assert sorted(reported) == ["a", "b"]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OSError(28, "No space left on device", "/out/a"), "cannot be delivered: No space left on device: /out/a"),
        (KeyError("x"), "KeyError: 'x'"),
    ],
)
def test_a_listener_that_raises_costs_the_item_it_was_told_of(error: Exception, reason: str, tmp_path: Path) -> None:
    def settled(one: Outcome) -> None:
        if one.item.name == "a":
            raise error

    found = _run(tmp_path, [_item("a"), _item("b")], settled=settled)
    assert found["a"].reason == reason
    assert found["a"].record is None
    assert found["b"].reason is None


def test_what_goes_on_from_a_failure_is_not_tried(tmp_path: Path) -> None:
    first = _item("first")
    second = _item("second", first)
    third = _item("third", second)
    crew = _Crew({"first": lambda _, settled: settled(Failed(message="broken"))})
    found = _run(tmp_path, [third, second, first, _item("other")], crew=crew)
    assert found["second"].reason == "not tried, because it goes on from first"
    assert found["third"].reason == "not tried, because it goes on from second"
    assert sorted(crew.submitted) == ["first", "other"]


def test_a_chain_whose_second_link_cannot_be_started_ends(tmp_path: Path) -> None:
    first = _item("first")
    second = _item("second", first)
    found = _run(tmp_path, [first, second, _item("third", second)], {"first": _later, "second": _raises})
    assert found["first"].reason is None
    assert str(found["second"].reason).startswith("it could not be started")
    assert found["third"].reason == "not tried, because it goes on from second"


def test_equal_items_are_made_once_and_each_has_its_outcome(tmp_path: Path) -> None:
    crew = _Crew({})
    one, other = _item("a"), replace(_item("a"), name="b")
    found = _run(tmp_path, [one, other], crew=crew)
    assert len(crew.submitted) == 1
    assert found["a"].record == found["b"].record


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OSError(5, "Input/output error", "/in/b"), "/in/b: Input/output error"),
        (BadMedia("b: broken"), "b: broken"),
        (ZeroDivisionError("x"), "ZeroDivisionError: x"),
    ],
)
def test_an_input_that_cannot_be_read_costs_its_item(error: Exception, reason: str, tmp_path: Path) -> None:
    def prepare(item: Item, report: Progress) -> Item:
        report(1, 2)
        if item.name == "b":
            raise error
        return replace(item, inputs={**item.inputs, "digest": item.name})

    found = _run(tmp_path, [_item("a"), _item("b"), _item("c")], prepare=prepare)
    assert found["a"].item.inputs["digest"] == "a"
    assert (found["b"].record, found["b"].reason) == (None, reason)
    assert found["c"].reason is None


def test_items_run_while_others_are_still_being_read(tmp_path: Path) -> None:
    first_is_made = threading.Event()

    def prepare(item: Item, report: Progress) -> Item:
        if item.name == "slow":
            assert first_is_made.wait(20)
        return item

    def fast(orders: list[Order], settled: Settled) -> None:
        _done(orders, settled)
        first_is_made.set()

    crew = _Crew({"fast": fast})
    found = _run(tmp_path, [_item("slow"), _item("fast")], prepare=prepare, crew=crew)
    assert crew.submitted == ["fast", "slow"]
    assert {one.reason for one in found.values()} == {None}


def test_inputs_that_are_no_json_cost_their_item(tmp_path: Path) -> None:
    found = _run(tmp_path, [Item("a", {"bad": {1, 2}}, {}, 1.0), _item("b")])
    assert str(found["a"].reason).startswith("its inputs cannot be used")
    assert found["b"].reason is None


def test_a_cancelled_run_ends_although_inputs_are_still_being_read(tmp_path: Path) -> None:
    crew = _Crew({})

    def prepare(item: Item, report: Progress) -> Item:
        if item.name == "a":
            crew.close()
        for _ in range(1000):
            report(0, None)
            threading.Event().wait(0.01)
        raise MaskflowError("was not interrupted")

    found = _run(tmp_path, [_item(name) for name in "abcdefgh"], prepare=prepare, crew=crew)
    assert {one.reason for one in found.values()} == {"the run was cancelled"}


def _quick() -> Predictor:
    """Of a stage whose items take a hundredth of a second."""
    history = History()
    history.note(STAGE, Outcome(_item("earlier"), Path(), {}, False, None, {"seconds": 0.01}), 1)
    return Predictor(history, STAGE, 1)


def test_what_a_task_did_not_try_is_given_out_again(tmp_path: Path) -> None:
    def first_only(orders: list[Order], settled: Settled) -> None:
        settled(Completed(data=_made(orders[:1])))

    names = [f"item {number}" for number in range(6)]
    crew = _Crew(dict.fromkeys(names, first_only), slots=1)
    items = [_item(name) for name in names]
    StageRun(RunStore(tmp_path), crew, STAGE, items, _quick(), RunMode()).finish()
    assert len(crew.submitted) == 6
    assert any(" item" in one for one in crew.submitted), "none were given out together"


def test_of_items_made_together_each_has_its_own_outcome(tmp_path: Path) -> None:
    def partly(orders: list[Order], settled: Settled) -> None:
        made = [
            Made(order.key, None, "broken") if order.name == "b" else Made(order.key, {"made": order.name})
            for order in orders
        ]
        settled(Failed(message="broken", data=made))

    crew = _Crew(dict.fromkeys("abc", partly), slots=1)
    items = [_item(name) for name in "abc"]
    outcomes = StageRun(RunStore(tmp_path), crew, STAGE, items, _quick(), RunMode()).finish()
    assert [one.reason for one in outcomes] == [None, "broken", None]


def test_a_cancelled_task_is_an_outcome(tmp_path: Path) -> None:
    found = _run(tmp_path, [_item("a")], {"a": lambda _, settled: settled(Cancelled(message="closed"))})
    assert found["a"].reason == "closed"


@pytest.fixture
def warnings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    reported: list[str] = []
    monkeypatch.setattr(stage_run._log, "warning", lambda line, *_: reported.append(line))
    return reported


def test_silence_is_explained(tmp_path: Path, warnings: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage_run, "_SILENCE_S", 0.3)
    _run(tmp_path, [_item("a")], {"a": lambda orders, settled: threading.Timer(1.0, _done, (orders, settled)).start()})
    assert "stage test: 1 items are not done" in warnings[0]


def test_what_goes_on_from_an_input_that_cannot_be_read_fails_with_it(tmp_path: Path) -> None:
    def prepare(item: Item, report: Progress) -> Item:
        if item.name == "first":
            raise BadMedia("broken")
        return item

    first = _item("first")
    second = _item("second", first)
    found = _run(tmp_path, [second, first, _item("third", second), _item("other")], prepare=prepare)
    assert [found[name].reason for name in ("first", "second", "third", "other")] == [
        "broken",
        "not tried, because it goes on from first",
        "not tried, because it goes on from second",
        None,
    ]


def test_a_cancelled_run_ends_although_items_wait_for_others_that_have_not_been_read(tmp_path: Path) -> None:
    crew = _Crew({})

    def prepare(item: Item, report: Progress) -> Item:
        if item.name == "last":
            crew.close()
        elif item.name != "second":
            for _ in range(1000):
                report(0, None)
                threading.Event().wait(0.01)
        return item

    first = _item("first")
    names = [_item(name) for name in "abcdefgh"]
    items = [_item("second", first), *names, first, replace(_item("last"), cost=2.0)]
    found = _run(tmp_path, items, prepare=prepare, crew=crew)
    assert found["second"].record is None
    assert found["first"].reason == "the run was cancelled"


def test_a_chain_of_a_thousand_items_that_are_there(tmp_path: Path) -> None:
    items: list[Item] = []
    for number in range(1000):
        items.append(_item(f"window {number}", items[-1] if items else None))
    crew = _Crew({}, slots=1)
    outcomes = StageRun(RunStore(tmp_path), crew, STAGE, items, _quick(), RunMode()).finish()
    assert [one.reason for one in outcomes] == [None] * 1000
