"""The two item functions on real video files: what they leave on disk, and that it can be read back."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import MakeVideo
from rerun.chunk import RrdReader

from core.errors import BadMedia
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
    told: list[tuple[int, int | None]] = []
    record = track_video(_request(video, fps=5), tmp_path, lambda done, expected: told.append((done, expected)))
    assert (record["frames"], record["objects"]) == (10, 1)
    assert told[-1] == (10, 10)
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
