"""The page about a run of tracked videos."""

from pathlib import Path
from typing import Any

from conftest import MakeVideo

from core.models.spec import ModelSpec
from core.report.page import REPORT_FILE, read_pictures
from core.tracking.report_item import report_tracked
from core.tracking.video_item import track_video


def _tracked(folder: Path, video: Path, prompt: str) -> dict[str, Any]:
    folder.mkdir()
    classical = ModelSpec(backend="classical").model_dump(mode="json")
    request = {
        "video": str(video), "text_prompt": prompt, "prompts": [], "detection_frequency": 1, "max_frames": 60,
        "fps": None, "detector": classical, "segmenter": classical,
    }  # fmt: skip
    track_video(request, folder, lambda done, expected: None)
    return {"name": video.name, "video": str(video), "tracks": str(folder)}


def test_every_video_has_a_picture_a_row_and_its_objects(tmp_path: Path, make_video: MakeVideo) -> None:
    made = [make_video(tmp_path / f"clip{seed}.mp4", frames=12, seed=seed) for seed in range(2)]
    videos = [
        _tracked(tmp_path / "a", made[0], "red object"),
        _tracked(tmp_path / "b", made[1], "blue object"),
    ]  # fmt: skip
    requested = {
        "title": "Track <things>",
        "videos": videos,
        "failures": [["c.mp4", "no such file"]],
        "facts": [["a", "b"]],
    }
    reported = []
    record = report_tracked(requested, tmp_path, lambda done, expected: reported.append((done, expected)))
    assert (record["videos"], record["objects"]) == (2, 1)
    assert reported == [(1, 2), (2, 2)]
    page = (tmp_path / REPORT_FILE).read_text()
    ((_, caption),) = read_pictures(tmp_path)
    assert caption == "clip0.mp4: frame 6, 0:00.6: 1 object"  # the middle one of those alike
    assert "nothing was found" in page
    assert "Track &lt;things&gt;" in page
    assert "no such file" in page
    assert ">1 red object</span>" in page


def test_a_video_that_is_gone_costs_its_picture_only(tmp_path: Path, make_video: MakeVideo) -> None:
    video = make_video(tmp_path / "clip.mp4", frames=6)
    videos = [_tracked(tmp_path / "a", video, "red object")]
    video.unlink()
    request = {"title": "t", "videos": videos, "failures": [], "facts": []}
    assert report_tracked(request, tmp_path, lambda *_: None)["objects"] == 1
    assert "no picture" in (tmp_path / REPORT_FILE).read_text()
