import json
from pathlib import Path

import pytest
from conftest import MakeVideo
from running import maskflow

import flows.track_videos.inputs
from flows.checking import checked, once_a_run


def test_a_plan_that_was_made_is_used_within_and_no_longer() -> None:
    check, other = (once_a_run()(lambda value: f"plan of {value}") for _ in range(2))
    with checked(check, "the plan made before"):
        assert check(1) == "the plan made before"
        assert other(1) == "plan of 1"
    assert check(2) == "plan of 2"


@pytest.mark.slow
@pytest.mark.usefixtures("prefect_server")
def test_the_command_line_checks_once(tmp_path: Path, make_video: MakeVideo, monkeypatch: pytest.MonkeyPatch) -> None:
    read, calls = flows.track_videos.inputs._read_list, []

    def counted(path: Path) -> list[str]:
        calls.append(path)
        return read(path)

    monkeypatch.setattr(flows.track_videos.inputs, "_read_list", counted)
    make_video(tmp_path / "a.mp4", frames=4)
    (tmp_path / "videos.txt").write_text(f"{tmp_path}/a.mp4\n")
    done = maskflow(
        "track-videos", "--video-list", tmp_path / "videos.txt", "--text-prompt", "red square",
        "--output-jsonl", tmp_path / "out" / "results.jsonl",
    )  # fmt: skip
    assert done.code == 0, done.err
    assert calls == [tmp_path / "videos.txt"]
    assert json.loads((tmp_path / "out" / "results.jsonl").read_text())["frames"]
