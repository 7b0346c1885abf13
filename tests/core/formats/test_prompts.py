import json
from pathlib import Path

import pytest

from core.errors import RefusedInput
from core.formats.prompts import prompts_by_video, read_prompts


def _write(path: Path, value: object) -> Path:
    path.write_text(json.dumps(value))
    return path


def test_missing_ids_count_up_past_the_given_ones(tmp_path: Path) -> None:
    entries = [
        {"box": [0, 0, 5, 5]},
        {"obj_id": 4, "points": [[1, 2, 1], [3, 4, 0]]},
        {"box": [1, 1, 2, 2], "frame": 3},
    ]
    read = read_prompts(_write(tmp_path / "p.json", {"a.mp4": entries}))["a.mp4"]
    assert [entry.obj_id for entry in read] == [5, 4, 6]
    prompt = read[1].object_prompt()
    assert prompt.prompt is not None
    assert prompt.prompt.points == ((1, 2, True), (3, 4, False))
    assert read[2].object_prompt().source_frame == 3


@pytest.mark.parametrize(
    ("entry", "named"),
    [
        ({}, "give a box, a mask, or points"),
        ({"points": [[1, 1, 0]]}, "at least one on the object"),
        ({"box": [5, 0, 5, 9]}, "x0 < x1"),
        ({"box": [0, 0, 1e9, 9]}, "or less"),
        ({"box": [0, 0, 5, 9], "frame": -1}, "frame"),
        ({"box": [0, 0, 5, 9], "obj_id": 0}, "1 or more"),
        ({"box": [0, 0, 5, 9], "obj_id": 70000}, "65535 or less"),
        ({"bbox": [0, 0, 5, 9]}, "bbox"),
    ],
)
def test_a_bad_entry_is_refused_with_its_place(tmp_path: Path, entry: object, named: str) -> None:
    with pytest.raises(RefusedInput, match=r"a\.mp4 / 0.*") as refused:
        read_prompts(_write(tmp_path / "p.json", {"a.mp4": [entry]}))
    assert named in str(refused.value)


def test_a_file_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(RefusedInput, match="cannot be used: no such file"):
        read_prompts(tmp_path / "none.json")


def test_a_mask_may_be_a_list_of_runs(tmp_path: Path) -> None:
    entries = [{"mask": {"size": [4, 6], "counts": [5, 2, 17]}}]
    (read,) = read_prompts(_write(tmp_path / "p.json", {"a.mp4": entries}))["a.mp4"]
    prompt = read.object_prompt().prompt
    assert prompt is not None
    mask = prompt.mask
    assert mask is not None
    assert mask.T.ravel().nonzero()[0].tolist() == [5, 6]


@pytest.mark.parametrize("counts", [[5, 2, 16], [-1, 25], [5, 2.5, 16.5], [], ["5"], [24, 0, 1]])
def test_runs_that_do_not_fill_their_size_are_refused(counts: list[object], tmp_path: Path) -> None:
    with pytest.raises(RefusedInput, match="mask"):
        read_prompts(_write(tmp_path / "p.json", {"a.mp4": [{"mask": {"size": [4, 6], "counts": counts}}]}))


def test_entries_of_one_object_on_one_frame_are_one_prompt(tmp_path: Path) -> None:
    first = {"obj_id": 1, "frame": 3, "points": [[1, 2, 1]], "mask": {"size": [2, 2], "counts": [0, 1, 3]}}
    second = {"obj_id": 1, "frame": 3, "label": "cup", "box": [4, 4, 8, 8], "points": [[3, 4, 0]]}
    third = {"obj_id": 1, "frame": 3, "box": [2, 5, 6, 9], "mask": {"size": [2, 2], "counts": [3, 1]}}
    other = {"obj_id": 1, "frame": 4, "points": [[1, 1, 1]]}
    read = read_prompts(_write(tmp_path / "p.json", {"a.mp4": [first, second, other, third]}))["a.mp4"]
    assert [entry.frame for entry in read] == [3, 4]
    joined = read[0]
    assert (joined.label, joined.box) == ("cup", (2, 4, 8, 9))
    assert joined.points == [(1, 2, 1), (3, 4, 0)]
    prompt = joined.object_prompt().prompt
    assert prompt is not None
    mask = prompt.mask
    assert mask is not None
    assert mask.tolist() == [[True, False], [False, True]]


def test_masks_of_two_sizes_for_one_prompt_are_refused(tmp_path: Path) -> None:
    entries = [{"obj_id": 1, "mask": {"size": [2, side], "counts": [0, 2 * side]}} for side in (2, 3)]
    with pytest.raises(RefusedInput, match="cannot be joined"):
        read_prompts(_write(tmp_path / "p.json", {"a.mp4": entries}))


def test_a_place_in_a_message_has_an_end(tmp_path: Path) -> None:
    with pytest.raises(RefusedInput) as refused:
        read_prompts(_write(tmp_path / "p.json", {"a.mp4": [{"box" + "[" * 5000: 1}]}))
    assert len(str(refused.value)) < 700


VIDEOS = {"walks/a.mp4": "walks/a.mp4", "other/a.mp4": "other/a.mp4", "b": "/data/kitchen/b.mkv"}


@pytest.mark.parametrize(
    ("key", "video"),
    [("walks/a.mp4", "walks/a.mp4"), ("walks/a", "walks/a.mp4"), ("b", "b"), ("b.mkv", "b"), ("kitchen/b.mkv", "b")],
)
def test_a_key_means_the_video_whose_path_ends_so(key: str, video: str, tmp_path: Path) -> None:
    file = _write(tmp_path / "p.json", {key: [{"box": [0, 0, 5, 9]}], "elsewhere.mp4": []})
    found, unused = prompts_by_video(file, VIDEOS)
    assert (list(found), unused) == ([video], ["elsewhere.mp4"])


def test_a_key_of_several_videos_or_of_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RefusedInput, match=r"it could be walks/a\.mp4 or other/a\.mp4"):
        prompts_by_video(_write(tmp_path / "p.json", {"a.mp4": [{"box": [0, 0, 5, 9]}]}), VIDEOS)
    with pytest.raises(RefusedInput, match=r"none of 'c\.mp4' does"):
        prompts_by_video(_write(tmp_path / "p.json", {"c.mp4": [{"box": [0, 0, 5, 9]}]}), VIDEOS)


def test_what_is_gone_has_an_id_and_nothing_to_show(tmp_path: Path) -> None:
    (shown, gone) = read_prompts(
        _write(
            tmp_path / "p.json",
            {"a.mp4": [{"obj_id": 1, "box": [0, 0, 5, 9]}, {"obj_id": 1, "frame": 7, "gone": True}]},
        )
    )["a.mp4"]
    assert shown.object_prompt().prompt is not None
    assert (gone.object_prompt().obj_id, gone.object_prompt().source_frame, gone.object_prompt().prompt) == (1, 7, None)
    for wrong in ({"gone": True}, {"obj_id": 1, "gone": True, "box": [0, 0, 5, 9]}):
        with pytest.raises(RefusedInput, match="what is gone has an obj_id, and no box, mask or points"):
            read_prompts(_write(tmp_path / "p.json", {"a.mp4": [wrong]}))
    both = [{"obj_id": 1, "gone": True}, {"obj_id": 1, "box": [0, 0, 5, 9]}]
    with pytest.raises(RefusedInput, match="object 1 is there and gone on frame 0"):
        read_prompts(_write(tmp_path / "p.json", {"a.mp4": both}))


def test_entries_under_two_keys_of_one_video_are_objects_of_their_own(tmp_path: Path) -> None:
    both = {"walks/a.mp4": [{"box": [0, 0, 5, 9]}], "walks/a": [{"box": [50, 50, 60, 60]}]}
    found, _ = prompts_by_video(_write(tmp_path / "p.json", both), VIDEOS)
    assert [(one.obj_id, one.box) for one in found["walks/a.mp4"]] == [(1, (0, 0, 5, 9)), (2, (50, 50, 60, 60))]
    contrary = {"b": [{"obj_id": 1, "box": [0, 0, 5, 9]}], "b.mkv": [{"obj_id": 1, "gone": True}]}
    with pytest.raises(RefusedInput, match="object 1 is there and gone on frame 0"):
        prompts_by_video(_write(tmp_path / "p.json", contrary), VIDEOS)
