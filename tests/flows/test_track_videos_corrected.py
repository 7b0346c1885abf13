"""Corrections through the command line: what changes, what does not, and what is tracked again."""

import json
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest
from conftest import MakeVideo
from running import Done, maskflow

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("prefect_server")]


def _track(folder: Path, corrections: dict[str, Any] | None, **more: Any) -> Done:
    given: list[object] = []
    if corrections is not None:
        (folder / "corrections.json").write_text(json.dumps({"version": 1, "videos": {"clip.mp4": corrections}}))
        given = ["--corrections", folder / "corrections.json"]
    return maskflow(
        "track-videos", folder / "clip.mp4", folder / "other.mp4", "--text-prompt", "red square",
        "--output-jsonl", folder / "out" / "results.jsonl", "--masks", "--num-workers", 1, *given, **more,
    )  # fmt: skip


def _objects(folder: Path) -> list[list[dict[str, Any]]]:
    """Of each frame of the corrected clip."""
    line = json.loads((folder / "out" / "results.jsonl").read_text().splitlines()[0])
    return [frame["objects"] for frame in line["frames"]]


@pytest.fixture
def tracked(tmp_path: Path, make_video: MakeVideo) -> Path:
    make_video(tmp_path / "clip.mp4", frames=20, fps=10)
    make_video(tmp_path / "other.mp4", frames=8, fps=10, seed=1)
    assert _track(tmp_path, None).code == 0
    return tmp_path


def _again(done: Done) -> list[str]:
    """What was tracked again."""
    assert done.code == 0, done.err
    return sorted(name.split("clip.mp4 ")[1] for name in done.processed if "(object" in name)


def test_only_what_changed_is_tracked_again(tracked: Path) -> None:
    before = _objects(tracked)
    corrections: dict[str, Any] = {
        "prompts": [
            {"obj_id": 1, "frame": 15, "box": [38, 22, 58, 42], "label": "brick"},
            {"obj_id": 9, "frame": 12, "box": [32, 22, 42, 32], "label": "half"},
        ],
        "accepted": [{"last": 11}],
    }
    done = _track(tracked, corrections)
    assert _again(done) == [
        "(object 1 backward from frame 15)", "(object 1 forward from frame 15)", "(object 9 forward from frame 12)",
    ]  # fmt: skip
    after = _objects(tracked)
    assert [one["label"] for one in after[0]] == ["brick"]
    unnamed = [[{**one, "label": "red"} for one in frame] for frame in after]
    assert unnamed[:12] == before[:12], "accepted frames stay as they are"
    assert after[15][0]["bbox"] == [38, 22, 19, 19]
    assert [[one["obj_id"] for one in frame] for frame in after[11:13]] == [[1], [1, 9]]
    whole = (tracked / "out" / "results.jsonl").read_bytes()

    # In another order, and once more: nothing is done again, and the bytes are the same.
    corrections["prompts"].reverse()
    assert _again(_track(tracked, corrections)) == []
    assert (tracked / "out" / "results.jsonl").read_bytes() == whole

    # Identities cost no tracking.
    more = {**corrections, "ids": [{"obj_id": 1, "first": 0, "last": 9, "is": 3}], "labels": {"3": "stone"}}
    assert _again(_track(tracked, more)) == []
    assert [one["obj_id"] for one in _objects(tracked)[5]] == [3]
    assert [one["obj_id"] for one in _objects(tracked)[10]] == [1]

    # A correction that is taken back leaves what was there.
    assert _again(_track(tracked, {"accepted": []})) == []
    assert _objects(tracked) == before


def test_a_mask_that_counts_on_its_frame_alone_is_taken_as_it_is(tracked: Path) -> None:
    mask = {"size": [64, 96], "counts": [64 * 10, 64, 64 * 85]}
    corrections = {
        "prompts": [{"obj_id": 1, "frame": 5, "mask": mask, "round": 2}],
        "accepted": [{"last": 4, "round": 1}, {"first": 6, "round": 1}],
    }
    assert _again(_track(tracked, corrections)) == []
    assert [frame[0]["bbox"] for frame in _objects(tracked)[4:7]] == [
        [16, 22, 19, 19],
        [10, 0, 0, 63],
        [20, 22, 19, 19],
    ]


def test_a_run_that_is_killed_while_it_tracks_again(tracked: Path) -> None:
    corrections = {"prompts": [{"obj_id": 1, "frame": 10, "box": [28, 22, 48, 42]}]}
    killed = _track(tracked, corrections, kill_at="core.corrections.retrack_item:save_tracker:2")
    assert killed.code == -signal.SIGKILL
    assert len(_again(_track(tracked, corrections))) == 1, "what was finished is not done again"
    results = (tracked / "out" / "results.jsonl").read_bytes()
    shutil.rmtree(tracked / "out")
    assert len(_again(_track(tracked, corrections))) == 2
    assert (tracked / "out" / "results.jsonl").read_bytes() == results


def test_what_is_wrong_with_corrections_is_said(tracked: Path) -> None:
    corrections = {
        "prompts": [
            {"obj_id": 1, "frame": 99, "box": [38, 22, 58, 42]}, {"obj_id": 1, "frame": 5, "box": [38, 22, 58, 42]},
            {"obj_id": 1, "frame": 6, "box": [900, 22, 958, 42]},
        ],
        "accepted": [{"last": 5}],
        "labels": {"7": "cup"},
    }  # fmt: skip
    done = _track(tracked, corrections)
    assert _again(done) == []
    lines = (tracked / "out" / "problems.jsonl").read_text().splitlines()
    said = {problem["where"]: problem["what"] for problem in map(json.loads, lines)}
    assert said == {
        "correction of object 1, frame 99": "the video ends with frame 19",
        "correction of object 1, frame 5": "the frame is accepted, and is not changed: take that back first",
        "correction of object 1, frame 6": "it lies outside the picture of 96x64",
        "corrections, labels, object 7": "there is no such object in these results (there are 1)",
    }
    (tracked / "corrections.json").write_text('{"version": 1, "videos": {"nothing.mp4": {}}}')
    refused = maskflow(
        "track-videos", tracked / "clip.mp4", "--text-prompt", "red", "--corrections", tracked / "corrections.json"
    )
    assert refused.code == 2
    assert "--corrections: " in refused.err
    assert "none of 'nothing.mp4' does" in " ".join(refused.err.split())
