"""Corrections of long videos' annotations: what changes, what does not, and what is followed again."""

import json
from pathlib import Path
from typing import Any

import pytest
from conftest import MakeVideo
from running import Done, maskflow

from core.formats.dense_annotations import read_dense
from core.formats.exchange.registry import read_results

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("prefect_server")]
FRAMES, EVERY = 100, 5


def _box(frame: int) -> list[int]:
    """Where the square is, in pictures 288 pixels wide."""
    return [8 + 2 * frame, 22, 28 + 2 * frame, 42]


def _annotate(folder: Path, corrections: dict[str, Any] | None, *more: object) -> Done:
    given: list[object] = []
    if corrections is not None:
        (folder / "corrections.json").write_text(json.dumps({"version": 1, "videos": {"clip": corrections}}))
        given = ["--corrections", folder / "corrections.json"]
    done = maskflow(
        "annotate-long-video", folder / "clip.mp4", "--output-dir", folder / "out", "--frame-interval", EVERY,
        "--video-scale-factor", 1.0, "--masks", "--num-workers", 1, *given, *more,
    )  # fmt: skip
    assert done.code == 0, done.err
    return done


def _seen(folder: Path) -> dict[int, dict[str, tuple[str, float]]]:
    """By frame and id: name, and left edge of the box."""
    frames = read_dense(folder / "out" / "dense_annotations_clip.jsonl")
    return {one.frame_number: {o.assoc_id: (o.assoc_name, o.bbox[0]) for o in one.objects} for one in frames}


def _again(done: Done) -> list[str]:
    return sorted(name.partition(" ")[2] for name in done.processed if "(object" in name)


@pytest.fixture
def annotated(tmp_path: Path, make_video: MakeVideo) -> Path:
    make_video(tmp_path / "clip.mp4", frames=FRAMES, fps=10, width=288)
    prompts = [{"obj_id": 4, "frame": 0, "label": "brick", "box": _box(0)}]
    (tmp_path / "prompts.json").write_text(json.dumps({"clip": prompts}))
    _annotate(tmp_path, None, "--prompts", tmp_path / "prompts.json")
    return tmp_path


def test_only_what_changed_is_followed_again(annotated: Path) -> None:
    prompts = ("--prompts", annotated / "prompts.json")
    before = _seen(annotated)
    (own,) = {assoc_id for frame in before.values() for assoc_id in frame}
    info = json.loads((annotated / "out" / "video_info_clip.json").read_text())
    number = info["numbers"][own]
    (video,) = read_results(annotated / "out" / "dense_annotations_clip.jsonl")
    assert {one.obj_id for frame in video.read() for one in frame.objects} == {number}

    corrections: dict[str, Any] = {
        "prompts": [
            {"obj_id": number, "frame": 80, "box": [100, 2, 120, 18]},
            {"obj_id": 9, "frame": 42, "label": "spot", "box": _box(42)},
        ],
        "accepted": [{"last": 60}],
        "absent": [{"obj_id": 9, "first": 52}],
        "labels": {str(number): "stone"},
    }
    done = _annotate(annotated, corrections, *prompts)
    assert _again(done) == [
        f"(object {number} backward from frame 80)", f"(object {number} forward from frame 80)",
    ]  # fmt: skip
    problems = (annotated / "out" / "problems_clip.jsonl").read_text()
    assert "correction of object 9, frame 42" in problems
    assert "take that back first" in problems
    corrections["accepted"][0]["round"] = 1  # the second prompt is not of a later round any more: it may change them
    corrections["prompts"][0]["round"] = 2
    done = _annotate(annotated, corrections, *prompts)
    assert _again(done) == ["(object 9 backward from frame 42)", "(object 9 forward from frame 42)"]
    after = _seen(annotated)
    assert {frame: seen[own][1] for frame, seen in after.items() if frame <= 60} == {
        frame: seen[own][1] for frame, seen in before.items() if frame <= 60
    }
    assert after[80][own] == ("stone", 100.0)
    assert [frame for frame, seen in after.items() if "9" in seen] == list(range(0, 52, EVERY))
    assert after[45]["9"][0] == "spot"
    (video,) = read_results(annotated / "out" / "dense_annotations_clip.jsonl")
    assert {(one.obj_id, one.name) for frame in video.read() for one in frame.objects} == {(number, own), (9, "9")}
    whole = (annotated / "out" / "dense_annotations_clip.jsonl").read_bytes()
    assert _again(_annotate(annotated, corrections, *prompts)) == []
    assert (annotated / "out" / "dense_annotations_clip.jsonl").read_bytes() == whole
    assert _again(_annotate(annotated, None, *prompts)) == []
    assert _seen(annotated) == before


def test_what_a_text_found_is_corrected_by_its_numbers(tmp_path: Path, make_video: MakeVideo) -> None:
    make_video(tmp_path / "clip.mp4", frames=FRAMES, fps=10, width=288)
    text = ("--text-prompt", "red", "--detection-interval", 20)
    _annotate(tmp_path, None, *text)
    before = _seen(tmp_path)
    assert {assoc_id for frame in before.values() for assoc_id in frame} == {"1"}
    corrections = {"ids": [{"obj_id": 1, "first": 50, "is": 2}], "absent": [{"obj_id": 1, "first": 20, "last": 30}]}
    assert _again(_annotate(tmp_path, corrections, *text)) == []
    after = _seen(tmp_path)
    assert {frame: list(seen) for frame, seen in after.items()} == {
        frame: ["1"] if frame < 50 else ["2"] for frame in before if not 20 <= frame <= 30
    }
