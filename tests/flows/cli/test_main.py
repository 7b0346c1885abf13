import os
import re
from pathlib import Path

import pytest
from conftest import MakeVideo
from running import maskflow

from flows.cli.main import run


@pytest.fixture
def video_list(tmp_path: Path, make_video: MakeVideo) -> Path:
    make_video(tmp_path / "a.mp4")
    (tmp_path / "videos.txt").write_text(f"{tmp_path}/a.mp4\n")
    (tmp_path / "empty.txt").write_text("\n\n")
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9.mp4\n")
    return tmp_path / "videos.txt"


@pytest.mark.parametrize(
    ("changes", "reported"),
    [
        ({"--detector": "yolo"}, "yolo"),
        ({"--detector": "sam3"}, "--detector: 'sam3' cannot be used"),
        ({"--segmenter": "sam2"}, "--segmenter: 'sam2' cannot be used"),
        ({"--text-prompt": "car"}, "--text-prompt: 'car' is not accepted: the built-in detector finds person"),
        ({"--text-prompt": ""}, "give a text prompt or a prompts file"),
        ({"--fps": "0"}, "is not accepted: more than 0"),
        ({"--fps": "-5"}, "is not accepted: more than 0"),
        ({"--fps": "fast"}, "fast"),
        ({"--detection_frequency": "0"}, "--detection-frequency: 0 is not accepted"),
        ({"--gpu_ids": "0 7"}, "--gpu-ids"),
        ({"--num_workers": "0"}, "--num-workers: 0 is not accepted"),
        ({"--video-list": "none.txt"}, "--video-list: 'none.txt' is not accepted"),
        ({"--video-list": "empty.txt"}, "this one is empty"),
        ({"--video-list": "latin.txt"}, "UTF-8"),
        ({"--output-jsonl": "/proc/none/r.jsonl"}, "--output-jsonl: "),
        ({"--output-video-dir": "/proc/none"}, "--output-video-dir: "),
        ({"--output-jsonl": "out/failures.jsonl"}, "not called failures.jsonl"),
        ({"--output-jsonl": "videos.txt"}, "none of the inputs"),
        ({"--video-list": "/dev/null"}, "not a regular file"),
        ({"--schema": "coco"}, "schema"),
        ({"--prompts": "none.json"}, "give a text prompt or a prompts file"),
    ],
)
def test_refused_input(
    video_list: Path,
    changes: dict[str, str],
    reported: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(video_list.parent)
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")  # nothing is requested of any server
    given = {"--video-list": "videos.txt", "--text-prompt": "red", "--output-jsonl": "out/r.jsonl", **changes}
    arguments = (part for flag, value in given.items() for part in [flag, *(value.split() or [""])])
    assert run(["track-videos", *arguments]) == 2
    printed = capsys.readouterr()
    assert reported in " ".join(re.sub("[│╭╮╰╯─]", " ", printed.err + printed.out).split())


def test_help_tells_every_flag_and_what_it_means() -> None:
    done = maskflow("track-videos", "--help")
    assert done.code == 0
    for text in ("--video-list", "--gpu-ids", "--no-resume", "--schema", "What to track, as in", "grounding-dino"):
        assert text in done.out
    assert "track-videos" in maskflow("--help").out


@pytest.mark.slow
@pytest.mark.usefixtures("prefect_server")
def test_devices() -> None:
    done = maskflow("devices")
    assert done.code == 0, done.err
    assert f"cpu-{os.getuid()}.0" in done.out
    assert "free" in done.out
