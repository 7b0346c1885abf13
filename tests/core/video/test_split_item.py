from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from core.errors import BadMedia
from core.evaluation.clips import SCENES, render_scene
from core.progress import Progress
from core.video.frames import RGB
from core.video.source import open_video
from core.video.split_item import split_video
from core.video.writer import write_video


def _write(path: Path, scenes: list[tuple[int, int]]) -> list[RGB]:
    """A video of scenes, each so many frames; gives its pictures."""
    images = [im for number, frames in scenes for im, _ in islice(render_scene(SCENES[number], number), frames)]
    with write_video(path, 25, 480, 270) as video:
        for index, image in enumerate(images):
            video.write(image, index / 25)
    return images


def _pictures(path: Path) -> list[tuple[RGB, float]]:
    with open_video(path) as source:
        return [(frame.image, frame.time_s) for frame in source.frames()]


def _nobody(done: int, expected: int | None) -> None:
    assert expected is None or done <= expected


def test_each_shot_is_a_video_that_begins_at_its_cut(tmp_path: Path) -> None:
    report: Progress = _nobody
    images = _write(tmp_path / "v.mp4", [(0, 15), (1, 12), (2, 10)])
    record = split_video({"video": str(tmp_path / "v.mp4")}, tmp_path, report)
    assert record["frames"] == 37
    assert [shot["file"] for shot in record["shots"]] == ["shot_001.mp4", "shot_002.mp4", "shot_003.mp4"]
    assert [(shot["first_frame"], shot["first_s"]) for shot in record["shots"]] == [(0, 0.0), (15, 0.6), (27, 1.08)]
    found = [_pictures(tmp_path / shot["file"]) for shot in record["shots"]]
    assert [len(shot) for shot in found] == [15, 12, 10]
    for (image, time_s), expected in zip((one for shot in found for one in shot), images, strict=True):
        assert np.abs(image.astype(int) - expected).mean() < 4
        assert time_s < 0.7
    assert [shot[0][1] for shot in found] == [0.0, 0.0, 0.0]


def test_a_video_of_one_shot_stays_as_it_is(tmp_path: Path) -> None:
    _write(tmp_path / "v.mp4", [(0, 12)])
    record = split_video({"video": str(tmp_path / "v.mp4")}, tmp_path, _nobody)
    assert record["shots"] == []
    assert [path.name for path in tmp_path.iterdir()] == ["v.mp4"]


def test_of_a_part_only_that_is_written(tmp_path: Path) -> None:
    _write(tmp_path / "v.mp4", [(0, 20)])
    part = {"start_s": 0.2, "end_s": 0.6}
    record = split_video({"video": str(tmp_path / "v.mp4"), "part": part}, tmp_path, _nobody)
    assert [shot["file"] for shot in record["shots"]] == ["shot_001.mp4"]
    assert len(_pictures(tmp_path / "shot_001.mp4")) == 10


def test_a_part_beyond_the_end_is_refused(tmp_path: Path) -> None:
    _write(tmp_path / "v.mp4", [(0, 10)])
    with pytest.raises(BadMedia, match="the video is shorter"):
        split_video({"video": str(tmp_path / "v.mp4"), "part": {"start_s": 9.0, "end_s": None}}, tmp_path, _nobody)


def test_what_is_no_video_is_refused(tmp_path: Path) -> None:
    (tmp_path / "v.mp4").write_text("no video")
    with pytest.raises(BadMedia):
        split_video({"video": str(tmp_path / "v.mp4")}, tmp_path, _nobody)
