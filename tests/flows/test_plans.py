"""A plan makes nothing, says what there is to do, and is right about it after one run of the kind."""

import re
from pathlib import Path

import pytest
from conftest import MakeVideo
from running import Done, maskflow
from waiting import wait_until

from tasks.estimates import history


@pytest.fixture(autouse=True)
def own_history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def _run(tmp_path: Path, *more: object, out: str = "out") -> Done:
    return maskflow(
        "track-videos", tmp_path / "clips", "--text-prompt", "red square", "--output-jsonl",
        tmp_path / out / "results.jsonl", "--num-workers", 2, *more,
    )  # fmt: skip


def _seconds(text: str) -> float:
    """`0:02.4`, `1:02:03`."""
    parts = [float(one) for one in text.split(":")]
    return sum(one * float(60**place) for place, one in enumerate(reversed(parts)))


@pytest.mark.slow
def test_a_plan_beside_the_run(tmp_path: Path, make_video: MakeVideo) -> None:
    for number in range(6):
        make_video(tmp_path / "clips" / f"{number}.mp4", frames=40 + 20 * number, seed=number)
    first = _run(tmp_path, "--plan")
    assert first.code == 0, first.err
    assert "6 items to do, 0 are there already" in first.out
    assert "this machine has not done such items yet" in first.out
    assert first.processed == []
    assert not list((tmp_path / "out").glob("[!.]*")), "a plan leaves no files"

    assert _run(tmp_path).code == 0
    again = _run(tmp_path, "--plan")
    assert "0 items to do, 12 are there already" in again.out  # tracked and reviewed
    planned = _run(tmp_path, "--plan", out="elsewhere")
    assert "6 items to do" in planned.out
    assert "review" in planned.out  # of which nothing can be known yet: from the run before
    about = re.search(r"about ([\d:.]+) on 2 slots", planned.out)
    assert about is not None
    done = _run(tmp_path, out="elsewhere")
    time = re.search(r"Time: ([\d:.]+) for all items, ([\d:.]+) expected", done.out)
    assert time is not None
    # No measurement: machines that run tests are busy. See `benchmarks.planning`.
    assert _seconds(time[1]) / 4 < _seconds(about[1]) < 4 * _seconds(time[1])


@pytest.mark.slow
def test_what_cannot_fit_is_refused(tmp_path: Path, make_video: MakeVideo, monkeypatch: pytest.MonkeyPatch) -> None:
    make_video(tmp_path / "clips" / "a.mp4")
    assert _run(tmp_path).code == 0
    kept = history.Timings.model_validate_json(history._file().read_bytes())
    (sample,) = kept.samples["track_video"]
    too_much = sample.model_copy(update={"host_mib": 1e9, "output_bytes": 10**18})
    history._file().write_text(
        history.Timings(samples={"track_video": [too_much]}, runs=kept.runs).model_dump_json(), encoding="utf-8"
    )
    done = _run(tmp_path, "--plan", out="elsewhere")
    assert done.code == 2
    assert "it cannot fit" in done.err
    assert "MiB of memory are needed" in done.err
    assert "are needed below" in done.err


@pytest.mark.slow
def test_cached_items_as_task_runs(tmp_path: Path, make_video: MakeVideo) -> None:
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId

    make_video(tmp_path / "clips" / "a.mp4")
    _run(tmp_path)
    for more, states in (((), []), (("--show-cached",), ["Cached"] * 3)):
        done = _run(tmp_path, *more)
        assert done.code == 0, done.err
        flow_run_id = re.search(r"Flow run ([0-9a-f-]{36})", done.err)
        assert flow_run_id is not None
        run_filter = FlowRunFilter(id=FlowRunFilterId(any_=[flow_run_id[1]]))

        def recorded(wanted: list[str] = states, run_filter: FlowRunFilter = run_filter) -> bool:
            with get_client(sync_client=True) as client:
                return [one.state_name for one in client.read_task_runs(flow_run_filter=run_filter)] == wanted

        wait_until(recorded, f"task runs {states}")  # the server records them from events, some time after them
