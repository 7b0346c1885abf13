"""What an item will take, from what earlier ones took."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.estimates import history as history_module
from tasks.estimates.history import History, RunTotals, StageTotals
from tasks.estimates.makespan import chains, makespan_s
from tasks.estimates.predicting import Predictor
from tasks.items import Item, Outcome, Stage

STAGE = Stage("track", "tests.none:track_nothing", lambda _: [])


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


def _item(cost: float, *like: str, backend: str = "classical") -> Item:
    return Item("a", {"segmenter": {"backend": backend, "sha256": None}}, {}, cost, like=like)


def _made(history: History, item: Item, seconds: float, device: str = "cpu", slots: int = 1) -> None:
    ran = {"seconds": seconds, "device": device, "host_peak_mib": 300.0, "output_bytes": 10}
    history.note(STAGE, Outcome(item, Path(), {}, False, None, ran), slots)


@given(st.floats(0, 5), st.floats(0.001, 2), st.lists(st.floats(1, 1000), min_size=2, max_size=20, unique=True))
def test_a_start_and_a_rate_are_found(start_s: float, rate: float, costs: list[float]) -> None:
    history = History()
    for cost in costs:
        _made(history, _item(cost), start_s + rate * cost)
    predictor = Predictor(history, STAGE, 1)
    for cost in costs:
        assert predictor.predict(_item(cost)).seconds == pytest.approx(start_s + rate * cost, rel=0.05, abs=1e-3)


@given(st.lists(st.tuples(st.floats(1, 1000), st.floats(0.01, 100)), min_size=1, max_size=20))
def test_the_samples_themselves_add_up_and_nothing_is_negative(samples: list[tuple[float, float]]) -> None:
    history = History()
    for cost, seconds in samples:
        _made(history, _item(cost), seconds)
    predicted = [Predictor(history, STAGE, 1).predict(_item(cost)).seconds for cost, _ in samples]
    assert min(predicted) >= 0
    assert sum(predicted) == pytest.approx(sum(seconds for _, seconds in samples), rel=1e-6)


def test_the_most_similar_items_count() -> None:
    history = History()
    _made(history, _item(10, "person"), 50)
    _made(history, _item(10, "red"), 5)
    _made(history, _item(10, "red", backend="sam2"), 500)
    predictor = Predictor(history, STAGE, 1)
    assert predictor.predict(_item(10, "red")).seconds == 5
    assert predictor.predict(_item(20, "red", backend="sam2")).seconds == 1000
    assert predictor.predict(_item(10, "blue")).seconds == pytest.approx(27.5)  # of this backend, with any text
    assert predictor.predict(_item(10, "red", backend="edgetam")).seconds == pytest.approx(185)


def test_an_item_larger_than_all_before_takes_longer_than_they_did() -> None:
    history = History()
    for cost, seconds in ((10, 3), (20, 2), (30, 1)):
        _made(history, _item(cost), seconds)
    predictor = Predictor(history, STAGE, 1)
    assert [predictor.predict(_item(cost)).seconds for cost in (5, 30, 300)] == pytest.approx([2, 2, 20])


def test_each_device_has_its_own_speed() -> None:
    history = History()
    _made(history, _item(10), 8, "GPU-1")
    _made(history, _item(10), 2, "GPU-2")
    predictor = Predictor(history, STAGE, 1)
    assert [predictor.predict(_item(10), device).seconds for device in ("GPU-1", "GPU-2", "GPU-3")] == [8, 2, 5]


def test_items_made_beside_as_many_others_count_first() -> None:
    history = History()
    _made(history, _item(10), 4, slots=1)
    _made(history, _item(10), 6, slots=2)
    predicted = [Predictor(history, STAGE, slots).predict(_item(10)).seconds for slots in (1, 2, 3)]
    assert predicted == [4, 6, 5]


def test_a_run_with_as_many_slots_counts_first() -> None:
    history = History()
    for kind, slots in (("a", 1), ("a", 2), ("b", 1)):
        history.note_run("track-videos", RunTotals(kind=(kind,), slots=slots, stages={}, outside_s=slots))
    history.save()
    runs = [History().run_like("track-videos", (kind,), slots) for kind, slots in (("a", 1), ("a", 2), ("b", 2))]
    assert [(run.kind, run.slots) for run in runs if run is not None] == [(("a",), 1), (("a",), 2), (("b",), 1)]


def test_what_is_known_is_kept_and_of_several_runs_together() -> None:
    first, second = History(), History()
    _made(first, _item(10), 5)
    _made(second, _item(10), 7)
    totals = RunTotals(
        kind=("a",),
        slots=1,
        stages={"t": StageTotals(name="track", items=1, cost=1, seconds=1, output_bytes=1)},
        outside_s=1,
    )
    second.note_run("track-videos", totals)
    first.save()
    second.save()
    again = History()
    assert [one.seconds for one in again.samples(STAGE)] == [5, 7]
    assert again.run_like("track-videos", ("b",), 1) == totals


def test_cached_and_failed_items_say_nothing() -> None:
    history = History()
    done = Outcome(_item(1), Path(), {}, False, None, {"seconds": 1.0})
    for outcome in (replace(done, cached=True), replace(done, record=None, reason="failed"), replace(done, ran={})):
        history.note(STAGE, outcome, 1)
    assert history.samples(STAGE) == []
    assert not Predictor(history, STAGE, 1).predict(_item(1)).measured


@pytest.mark.parametrize("text", ["", "{", "[]", '{"samples": 3}', "\x00"])
def test_a_spoilt_file_is_started_anew(text: str) -> None:
    file = history_module._file()
    file.parent.mkdir(parents=True)
    file.write_text(text)
    history = History()
    _made(history, _item(1), 1)
    history.save()
    assert len(History().samples(STAGE)) == 1


def test_makespan_and_chains() -> None:
    first = _item(3)
    second, other = replace(_item(4), after=first), _item(5)
    chained = chains([first, second, other], lambda item: item.after)
    assert [[one.cost for one in chain] for chain in chained] == [[3, 4], [5]]
    assert makespan_s([3.0, 3.0, 2.0, 2.0, 2.0], lambda one, _: one, ["a", "a"]) == 7
    assert makespan_s([4.0, 1.0], lambda one, device: one * (10 if device == "slow" else 1), ["slow", "fast"]) == 5
    assert makespan_s([], lambda one, _: one, ["a"]) == 0
