"""The corrections file: what it accepts, what it says of what it does not, and that it comes back as it was written."""

import json
from pathlib import Path
from typing import Any

import pytest

from core.errors import RefusedInput
from core.formats.corrections import Corrections, corrections_by_video, read_corrections, write_corrections

ENTRIES: dict[str, Any] = {
    "prompts": [{"frame": 240, "obj_id": 2, "box": [120.0, 80.0, 340.0, 260.0], "round": 2}],
    "absent": [{"obj_id": 2, "first": 100, "last": 160}, {"obj_id": 5}],
    "ids": [{"obj_id": 4, "is": 1}, {"obj_id": 2, "first": 300, "is": 7}],
    "labels": {"1": "dog"},
    "accepted": [{"last": 99}, {"first": 100, "obj_id": 1, "round": 1}],
}


def _write(path: Path, videos: dict[str, Any], **more: Any) -> Path:
    path.write_text(json.dumps({"version": 1, "videos": videos, **more}))
    return path


def test_it_comes_back_as_it_was_written(tmp_path: Path) -> None:
    read = read_corrections(_write(tmp_path / "a.json", {"a.mp4": ENTRIES}))
    write_corrections(tmp_path / "b.json", read)
    assert json.loads((tmp_path / "b.json").read_text())["videos"]["a.mp4"] == ENTRIES
    assert read_corrections(tmp_path / "b.json") == read


def test_keys_are_those_of_prompts_and_several_that_mean_one_video_are_one(tmp_path: Path) -> None:
    videos = {"clips/a.mp4": {"labels": {"1": "dog"}}, "a": {"labels": {"2": "cat"}}, "z": {"labels": {"1": "x"}}}
    found, unused = corrections_by_video(_write(tmp_path / "c.json", videos), {"clips/a.mp4": "clips/a.mp4"})
    assert found["clips/a.mp4"].labels == {1: "dog", 2: "cat"}
    assert unused == ["z"]


def test_entries_on_one_frame_are_one_prompt(tmp_path: Path) -> None:
    prompts = [
        {"frame": 3, "obj_id": 1, "points": [[5, 5, 1]]},
        {"frame": 3, "obj_id": 1, "box": [1, 1, 9, 9], "round": 4},
    ]
    found, _ = corrections_by_video(_write(tmp_path / "c.json", {"a": {"prompts": prompts}}), {"a": "a"})
    (one,) = found["a"].prompts
    assert (one.box, one.points, one.round) == ((1, 1, 9, 9), [(5, 5, 1)], 4)


@pytest.mark.parametrize(
    ("entries", "what"),
    [
        ({"prompts": [{"frame": 3, "box": [1, 1, 9, 9]}]}, r"videos / a / prompts / 0 / obj_id: it is missing"),
        ({"prompts": [{"obj_id": 1, "frame": 3, "gone": True}]}, r"gone under absent, with first and last"),
        ({"absent": [{"obj_id": 1, "first": 9, "last": 3}]}, r"absent / 0: first = 9 lies after last = 3"),
        ({"deleted": [3]}, r"videos / a / deleted: no such name is known here"),
        ({"ids": [{"obj_id": 1, "is": 2}, {"obj_id": 1, "first": 9, "is": 3}]}, r"object 1 on the same frames"),
        (
            {"prompts": [{"obj_id": 1, "frame": 5, "box": [1, 1, 9, 9]}], "absent": [{"obj_id": 1}]},
            r"a: object 1 has a prompt on frame 5, where it is said to be absent",
        ),
    ],
)
def test_what_is_wrong_is_said_with_its_place(tmp_path: Path, entries: dict[str, Any], what: str) -> None:
    with pytest.raises(RefusedInput, match=what):
        corrections_by_video(_write(tmp_path / "c.json", {"a": entries}), {"a": "a"})


def test_another_version_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RefusedInput, match="version: expected 1"):
        read_corrections(_write(tmp_path / "c.json", {}, version=2))


def test_an_empty_file_is_fine() -> None:
    assert Corrections().videos == {}


def test_the_schema_in_the_documentation_is_that_of_the_model() -> None:
    schema = Path(__file__).parents[3] / "docs" / "corrections.schema.json"
    assert json.loads(schema.read_text()) == Corrections.model_json_schema(by_alias=True)
