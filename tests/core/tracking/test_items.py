"""The two item functions on real video files: what they leave on disk, and that it can be read back."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import MakeVideo
from PIL import Image
from rerun.chunk import RrdReader

from core.errors import BadMedia
from core.formats.prompts import PromptEntry
from core.formats.tracks import read_frames, read_head
from core.tracking.render_item import RECORDING_FILE, VIDEO_FILE, render_video
from core.tracking.video_item import track_video
from core.video.source import open_video


def _request(video: Path, **changes: Any) -> dict[str, Any]:
    request = {
        "video": str(video),
        "text_prompt": "red square",
        "detector": {"backend": "classical"},
        "segmenter": {"backend": "classical"},
        "detection_frequency": 1,
        "max_frames": 60,
    }
    return {**request, **changes}


def test_tracks_drawing_and_recording_of_one_video(tmp_path: Path, make_video: MakeVideo) -> None:
    video = make_video(tmp_path / "a.mp4", frames=20, fps=10)
    reported: list[tuple[int, int | None]] = []
    record = track_video(_request(video, fps=5), tmp_path, lambda done, expected: reported.append((done, expected)))
    assert (record["frames"], record["objects"]) == (10, 1)
    assert reported[-1] == (10, 10)
    head = read_head(tmp_path)
    assert (head.width, head.height, head.original_fps, head.process_fps, head.total_frames) == (96, 64, 10, 5, 20)
    frames = list(read_frames(tmp_path))
    assert [frame.source_frame for frame in frames] == list(range(0, 20, 2))
    x, y, width, height = frames[5].objects[0].bbox
    assert abs(x - 28) <= 3
    assert abs(y - 22) <= 3
    assert abs(width - 19) <= 4
    assert abs(height - 19) <= 4

    request = {"video": str(video), "tracks": str(tmp_path), "key": "k", "annotated_video": True, "recording": True}
    drawn = render_video(request, tmp_path, lambda done, expected: None)
    assert drawn["frames"] == 10
    with open_video(tmp_path / VIDEO_FILE) as read:
        images = [frame.image for frame in read.frames()]
    assert len(images) == 10
    with open_video(video) as original:
        first = next(iter(original.frames())).image
    assert np.abs(images[0].astype(int) - first).max() > 60
    (store,) = RrdReader(tmp_path / RECORDING_FILE).recordings()
    paths = {str(chunk.entity_path) for chunk in RrdReader(tmp_path / RECORDING_FILE).stream()}
    assert store is not None
    assert {"/video/frame", "/video/masks", "/video/boxes", "/scores/1"} <= paths


def test_a_bad_video_fails_with_its_reason(tmp_path: Path) -> None:
    (tmp_path / "bad.mp4").write_bytes(b"no video")
    with pytest.raises(BadMedia, match=r"bad\.mp4: not a video file"):
        track_video(_request(tmp_path / "bad.mp4"), tmp_path, lambda done, expected: None)


def test_a_prompt_outside_the_picture_is_an_error(tmp_path: Path, make_video: MakeVideo) -> None:
    request = {
        "video": str(make_video(tmp_path / "clip.mp4")),
        "segmenter": {"backend": "classical"},
        "detection_frequency": 1,
        "max_frames": 60,
        "prompts": [{"obj_id": 3, "box": [800, 220, 900, 420]}],
    }
    with pytest.raises(BadMedia, match="object 3, frame 0: it lies outside the picture of 96x64"):
        track_video(request, tmp_path, lambda _, __: None)


SQUARE = [8, 22, 28, 42]  # on frame 0; it moves two pixels a frame


def _prompted(tmp_path: Path, make_video: MakeVideo, prompts: list[dict[str, Any]], **changes: Any) -> dict[str, Any]:
    video = make_video(tmp_path / "clip.mp4", frames=20, fps=10)
    (tmp_path / "out").mkdir()
    request = _request(video, text_prompt=None, detector=None, prompts=prompts, **changes)
    return track_video(request, tmp_path / "out", lambda done, expected: None)


def _seen(tmp_path: Path) -> dict[int, set[int]]:
    """Source frames on which each object is."""
    found: dict[int, set[int]] = {}
    for frame in read_frames(tmp_path / "out"):
        for one in frame.objects:
            found.setdefault(one.obj_id, set()).add(frame.source_frame)
    return found


def _at(frame: int) -> list[int]:
    return [SQUARE[0] + 2 * frame, SQUARE[1], SQUARE[2] + 2 * frame, SQUARE[3]]


def test_a_prompt_is_used_on_its_own_frame_whatever_the_rate(tmp_path: Path, make_video: MakeVideo) -> None:
    record = _prompted(tmp_path, make_video, [{"obj_id": 1, "frame": 7, "box": _at(7)}], fps=2)
    frames = {frame.source_frame: frame.objects for frame in read_frames(tmp_path / "out")}
    assert sorted(frames) == [0, 5, 7, 10, 15]
    assert record["problems"] == []
    assert abs(frames[7][0].bbox[0] - _at(7)[0]) <= 2
    assert _seen(tmp_path) == {1: {7, 10, 15}}


def test_a_prompt_on_the_last_frame_is_used(tmp_path: Path, make_video: MakeVideo) -> None:
    prompts = [{"obj_id": 1, "box": SQUARE}, {"obj_id": 2, "frame": 19, "box": _at(19)}]
    record = _prompted(tmp_path, make_video, prompts, fps=5)
    assert record["problems"] == []
    assert _seen(tmp_path)[2] == {19}
    assert {0, 18} <= _seen(tmp_path)[1]


@pytest.mark.parametrize(
    ("wrong", "what"),
    [
        ({"frame": 600, "box": SQUARE}, "frame 600: the video ends with frame 19"),
        ({"frame": 20, "box": SQUARE}, "frame 20: the video ends with frame 19"),
        ({"frame": 3, "box": [200, 22, 228, 42]}, "frame 3: it lies outside the picture of 96x64"),
        ({"box": [0.1, 0.2, 0.4, 0.5]}, "frame 0: its box is no larger than a pixel"),
        ({"points": [[500, 500, 1]]}, "frame 0: it lies outside the picture"),
        ({"mask": {"size": [2, 2], "counts": "04"}}, "frame 0: its mask is 2x2, the picture 96x64"),
    ],
)
def test_a_prompt_that_cannot_be_used_costs_only_its_object(
    wrong: dict[str, Any], what: str, tmp_path: Path, make_video: MakeVideo
) -> None:
    record = _prompted(tmp_path, make_video, [{"obj_id": 1, "box": SQUARE}, {"obj_id": 2, "label": "cup", **wrong}])
    assert _seen(tmp_path) == {1: set(range(20))}
    ((problem),) = record["problems"]
    assert f"{problem['where']}: {problem['what']}".startswith(f"object 2 (cup), {what}")


def test_what_is_beyond_the_end_is_known_before_tracking(tmp_path: Path, make_video: MakeVideo) -> None:
    with pytest.raises(
        BadMedia, match="none of its prompts can be used: object 1, frame 99: the video ends with frame 19"
    ):
        _prompted(tmp_path, make_video, [{"obj_id": 1, "frame": 99, "box": SQUARE}])
    assert list((tmp_path / "out").iterdir()) == []


def test_a_prompt_that_finds_nothing_is_listed(tmp_path: Path, make_video: MakeVideo) -> None:
    speck = {"size": [64, 96], "counts": [64 * 50, 3, 64 * 46 - 3]}
    mask = PromptEntry.model_validate({"mask": speck}).model_dump(mode="json")["mask"]
    record = _prompted(tmp_path, make_video, [{"obj_id": 1, "box": SQUARE}, {"obj_id": 2, "frame": 3, "mask": mask}])
    assert 1 in _seen(tmp_path)
    assert [one["where"] for one in record["problems"]] in ([], ["object 2, frame 3"])


@pytest.mark.parametrize("size", [(64, 3), (3, 64), (8, 8)])
def test_pictures_a_few_pixels_high(size: tuple[int, int], tmp_path: Path) -> None:
    (tmp_path / "thin").mkdir()
    for number in range(3):
        Image.new("RGB", size, (200, 30, 30) if number else (90, 90, 90)).save(tmp_path / "thin" / f"{number}.png")
    (tmp_path / "out").mkdir()
    record = track_video(_request(tmp_path / "thin"), tmp_path / "out", lambda done, expected: None)
    assert record["frames"] == 3


def test_a_link_to_nowhere_among_images_is_no_image(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    for number in range(3):
        Image.new("RGB", (64, 48), (90, 90, 90)).save(tmp_path / "images" / f"{number}.png")
    (tmp_path / "images" / "latest").symlink_to("nowhere")
    (tmp_path / "out").mkdir()
    assert track_video(_request(tmp_path / "images"), tmp_path / "out", lambda *_: None)["frames"] == 3
    (tmp_path / "images" / "latest.png").symlink_to("nowhere")
    with pytest.raises(BadMedia, match=r"latest\.png: a link to what does not exist"):
        track_video(_request(tmp_path / "images"), tmp_path / "out", lambda *_: None)


def test_a_part_of_a_video(tmp_path: Path, make_video: MakeVideo) -> None:
    video = make_video(tmp_path / "a.mp4", frames=30, fps=10)
    part = {"start_s": 1.0, "end_s": 2.0}
    record = track_video(_request(video, part=part), tmp_path, lambda done, expected: None)
    assert [frame.source_frame for frame in read_frames(tmp_path)] == list(range(10, 20))
    assert record["frames"] == 10
    assert read_head(tmp_path).total_frames == 30
    (one,) = record["summary"]
    assert (one["first_frame"], one["last_frame"], one["first_s"], one["last_s"]) == (10, 19, 1.0, 1.9)
    assert one["frames"] == 10
    assert 0 < one["mean_score"] < 1
    request = {
        "video": str(video), "tracks": str(tmp_path), "key": "k", "annotated_video": True, "recording": False,
        "part": part,
    }  # fmt: skip
    render_video(request, tmp_path, lambda done, expected: None)
    with open_video(tmp_path / VIDEO_FILE) as read:
        assert [round(frame.time_s, 3) for frame in read.frames()] == [n / 10 for n in range(10)], "it begins at once"
    with pytest.raises(BadMedia, match="no frame is shown from 9 s on: the video is shorter"):
        track_video(_request(video, part={"start_s": 9.0}), tmp_path, lambda done, expected: None)


def test_a_prompt_outside_the_part_that_is_processed_is_pointed_out(tmp_path: Path, make_video: MakeVideo) -> None:
    video = make_video(tmp_path / "a.mp4", frames=30, fps=10)
    prompts = [
        PromptEntry(obj_id=number, frame=frame, box=(8, 22, 60, 42)).model_dump(mode="json")
        for number, frame in ((1, 2), (2, 12))
    ]
    changes = {"text_prompt": None, "detector": None, "prompts": prompts, "part": {"start_s": 1.0, "end_s": 2.0}}
    record = track_video(_request(video, **changes), tmp_path, lambda done, expected: None)
    assert [problem["where"] for problem in record["problems"]] == ["object 1, frame 2"]
    assert "outside the part that is processed (from 1 s to 2 s)" in record["problems"][0]["what"]
    assert {one.obj_id for frame in read_frames(tmp_path) for one in frame.objects} == {2}


def test_a_box_that_lies_half_outside_is_used_and_pointed_out(tmp_path: Path, make_video: MakeVideo) -> None:
    video = make_video(tmp_path / "a.mp4", frames=3)
    prompts = [PromptEntry(obj_id=1, box=(60, 20, 132, 60)).model_dump(mode="json")]
    changes = {"text_prompt": None, "detector": None, "prompts": prompts}
    record = track_video(_request(video, **changes), tmp_path, lambda done, expected: None)
    (problem,) = record["problems"]
    assert "50% of its box lies outside the picture of 96x64" in problem["what"]
    assert "not x, y, width, height" in problem["what"]


def test_an_object_that_is_gone_ends_there_and_comes_back_where_it_is_shown(
    tmp_path: Path, make_video: MakeVideo
) -> None:
    video = make_video(tmp_path / "a.mp4", frames=20, fps=10)
    entries = (
        PromptEntry(obj_id=1, box=(8, 22, 28, 42)),
        PromptEntry(obj_id=1, frame=6, gone=True),
        PromptEntry(obj_id=1, frame=12, box=(32, 22, 52, 42)),
    )
    prompts = [one.model_dump(mode="json") for one in entries]
    changes = {"text_prompt": None, "detector": None, "prompts": prompts}
    record = track_video(_request(video, **changes), tmp_path, lambda done, expected: None)
    seen = [frame.source_frame for frame in read_frames(tmp_path) if frame.objects]
    assert seen == [*range(6), *range(12, 20)]
    assert record["problems"] == []
