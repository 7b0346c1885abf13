"""The Python package: its surface, and that it works in scripts, coroutines, notebooks and flows."""

import asyncio
from pathlib import Path
from typing import get_type_hints

import pytest
from conftest import MakeVideo
from prefect import flow

import maskflow
from maskflow import RefusedInput, read_results

FLOWS = ("annotate_long_video", "reconstruct_windows", "refine_masks", "track_mask_points", "track_videos")


def test_the_surface_is_what_it_says() -> None:
    public = {name for name in vars(maskflow) if not name.startswith("_")}
    modules = {name for name in public if type(vars(maskflow)[name]).__name__ == "module"}
    assert public - modules == set(maskflow.__all__)
    assert list(maskflow.__all__) == sorted(maskflow.__all__)
    for name in (*FLOWS, "export", "evaluate", "read_results"):
        function = getattr(maskflow, name)
        assert function.__doc__
        assert get_type_hints(function)["return"]


def test_what_cannot_be_used_is_refused_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises(RefusedInput, match="fps = -1 is not accepted: more than 0"):
        maskflow.track_videos("a.mp4", text_prompt="red", output_jsonl=tmp_path / "r.jsonl", fps=-1)
    with pytest.raises(RefusedInput, match="there is no parameter 'fsp'; did you mean 'fps'"):
        maskflow.track_videos("a.mp4", text_prompt="red", output_jsonl=tmp_path / "r.jsonl", fsp=1)
    with pytest.raises(RefusedInput, match="data_root"):
        maskflow.refine_masks(tmp_path / "none")


@pytest.mark.usefixtures("prefect_server")
def test_a_run_gives_its_summary_and_results_can_be_read(tmp_path: Path, make_video: MakeVideo) -> None:
    video, results = make_video(tmp_path / "a.mp4"), tmp_path / "out/results.jsonl"
    run = maskflow.track_videos([video, tmp_path / "none.mp4"], text_prompt="red", output_jsonl=results, masks=True)
    assert [(Path(row.name).name, row.status) for row in run.rows] == [("a.mp4", "done"), ("none.mp4", "failed")]
    assert run.failed == 1
    assert "no such file" in run.rows[1].reason
    assert dict(run.outputs)["Results"] == str(results)
    (seen,) = read_results(results)
    assert {one.label for frame in seen.read() for one in frame.objects} == {"red"}
    made = maskflow.export([seen], to="mot", output=tmp_path / "mot")
    assert (made.videos, made.tracks) == (1, 1)
    judged = maskflow.evaluate(results, truth=results)
    assert judged.j is not None
    assert judged.j.mean == 1.0


@pytest.mark.usefixtures("prefect_server")
def test_it_works_where_an_event_loop_runs_and_inside_a_flow(tmp_path: Path, make_video: MakeVideo) -> None:
    video = make_video(tmp_path / "a.mp4")

    async def in_a_notebook() -> int:
        run = maskflow.track_videos(video, text_prompt="red", output_jsonl=tmp_path / "a/results.jsonl")
        return run.failed

    @flow
    def mine() -> str:
        run = maskflow.track_videos(video, text_prompt="red", output_jsonl=tmp_path / "a/results.jsonl")
        return run.rows[0].status

    assert asyncio.run(in_a_notebook()) == 0
    assert mine() == "cached"
