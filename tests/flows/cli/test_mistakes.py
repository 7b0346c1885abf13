"""What people get wrong, and what they are told: one line, the flag, what is wrong, what to do (docs/mistakes.yaml)."""

import json
import os
import shlex
import socket
from pathlib import Path

import pytest
import yaml
from conftest import write_moving_square
from PIL import Image

from flows.cli.main import run

MISTAKES = yaml.safe_load((Path(__file__).parents[3] / "docs" / "mistakes.yaml").read_text(encoding="utf-8"))
PROMPTS: dict[str, object] = {
    "good.json": {"a.mp4": [{"box": [8, 22, 28, 42]}]},
    "list.json": [1, 2],
    "xywh.json": {"a.mp4": [{"box": [50, 40, 20, 10]}]},
    "typo.json": {"a.mp4": [{"bbox": [5, 4, 20, 10]}]},
    "other.json": {"b.mp4": [{"box": [5, 4, 20, 10]}]},
    "entry.json": {"a.mp4": {"box": [5, 4, 20, 10]}},
    "gone.json": {"a.mp4": [{"frame": 5, "gone": True}]},
    "nothing.json": {"a.mp4": [{"frame": 3}]},
    "corrections_typo.json": {"version": 1, "videos": {"a.mp4": {"deleted": [1]}}},
    "corrections_other.json": {"version": 1, "videos": {"b.mp4": {}}},
    "corrections_swap.json": {"version": 1, "videos": {"a.mp4": {"absent": [{"obj_id": 1, "first": 9, "last": 3}]}}},
    "point.json": {"a.mp4": [{"points": [[5, 4]]}]},
}
# Words of the libraries underneath, which say nothing to a person.
FOREIGN = ("Errno", "Traceback", "Input should", "not permitted", "Unused Tokens", "pydantic", "codec can't")


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a video and with files that are wrong in all the ways of the table."""
    folder = tmp_path_factory.mktemp("mistakes")
    write_moving_square(folder / "a.mp4")
    for name, content in PROMPTS.items():
        (folder / name).write_text(json.dumps(content))
    (folder / "broken.json").write_text("{not json")
    (folder / "empty.txt").write_text("\n# only a comment\n")
    (folder / "latin.txt").write_bytes(b"caf\xe9.mp4\n")
    (folder / "not.npz").write_text("no archive")
    (folder / "notes.pdf").write_text("pdf")
    (folder / "r.jsonl").write_text("")
    (folder / "videos.txt").write_text("a.mp4\n")
    seen = {"obj_id": 1, "bbox": [8, 22, 19, 19], "label": "red", "score": 0.7, "detection_score": None}
    info = {"width": 96, "height": 64, "original_fps": 10.0, "process_fps": 10.0, "total_frames": 12}
    frames = [{"frame_idx": 0, "source_frame": 0, "time_s": 0.0, "objects": [seen]}]
    line = {"video_path": "a.mp4", "text_prompt": "red", "video_info": info, "frames": frames}
    (folder / "good.jsonl").write_text(json.dumps(line) + "\n")
    for name in ("folder", "scenes", "emptydir", "full", "frames"):
        (folder / name).mkdir()
    for number in range(12):
        Image.new("RGB", (64, 48)).save(folder / "frames" / f"{number}.png")
    (folder / "full" / "mine.txt").write_text("mine")
    return folder


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda one: one["command"].removeprefix("maskflow "))
def test_a_mistake_is_answered_in_one_line_that_helps(
    mistake: dict[str, str], here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(here)
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")  # nothing is requested of any server
    monkeypatch.delenv("PREFECT_SERVER_API_AUTH_STRING", raising=False)
    before = sorted(os.listdir(here))
    assert run(shlex.split(mistake["command"])[1:]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    says = mistake["says"].replace("HERE", str(here)).replace("MACHINE", socket.gethostname())
    assert said.err == f"maskflow: {says}\n"
    assert not [word for word in FOREIGN if word in said.err]
    assert set(os.listdir(here)) - set(before) <= {"out", "outputs"}, "nothing but the folder for results was made"


def test_the_table_is_long() -> None:
    assert len(MISTAKES) >= 60
