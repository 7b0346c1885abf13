"""Frames, masks at once, tracking ahead, review and export, over HTTP."""

import io
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import MakeVideo, moving_square
from labelling import document, edit, page, show, write_results
from PIL import Image
from starlette.testclient import TestClient

from core.formats.exchange.registry import read_results
from core.formats.review_jsonl import ReviewEntry, write_review
from core.masks import rle
from core.video.source import open_video
from core.video.writer import write_video

SQUARE = {"obj_id": 1, "frame": 5, "box": [18, 22, 38, 42]}


@pytest.fixture
def video(tmp_path: Path, make_video: MakeVideo) -> Path:
    return make_video(tmp_path / "a.mp4", frames=20, fps=10)


def _picture(client: TestClient, frame: int) -> np.ndarray:
    answer = client.get(f"/api/videos/0/frames/{frame}.jpg")
    assert answer.status_code == 200, answer.text
    return np.asarray(Image.open(io.BytesIO(answer.content)), np.int16)


def test_every_frame_is_the_one_that_its_number_says(tmp_path: Path) -> None:
    """In any order, with a rate that varies."""
    path = tmp_path / "vfr.mp4"
    with write_video(path, 25, 96, 64) as written:
        for number, image in enumerate(moving_square(30)):
            written.write(image, number / 10 + (number > 12) * 0.7)
    with open_video(path) as source:
        frames = list(source.frames())
    with page(path, folder=tmp_path) as client:
        about = client.get("/api/videos/0").json()
        assert about["times_s"] == [round(frame.time_s, 6) for frame in frames]
        for number in (17, 3, 4, 5, 29, 0, 12, 13):
            found = _picture(client, number)
            distances = [np.abs(found - frame.image.astype(np.int16)).mean() for frame in frames]
            assert int(np.argmin(distances)) == number
        assert client.get("/api/videos/0/frames/30.jpg").json()["detail"] == "the video has frames 0 to 29"
        small = client.get("/api/videos/0/thumbnails/20.jpg")
        assert max(Image.open(io.BytesIO(small.content)).size) <= 160


def test_the_mask_of_a_box_comes_at_once_and_is_the_one_that_is_tracked(tmp_path: Path, video: Path) -> None:
    with page(video, folder=tmp_path) as client:
        answer = client.post("/api/videos/0/preview", json=SQUARE).json()
        mask = rle.decode(answer["mask"])
        x = 18
        assert mask[22:42, x : x + 20].mean() > 0.9
        assert mask.sum() < 1.2 * 400
        client.post("/api/videos/0/look-ahead", json={"prompts": [SQUARE], "seconds": 1})
        deadline_s, look = time.monotonic() + 30, {"running": True}
        while look["running"] and time.monotonic() < deadline_s:
            time.sleep(0.1)
            look = client.get("/api/videos/0/look-ahead?since=0").json()
        assert look["error"] is None
        frames = look["frames"]
        assert [one["frame"] for one in frames] == list(range(5, 16))
        assert frames[0]["objects"][0]["mask"] == answer["mask"]
        last = rle.decode(frames[-1]["objects"][0]["mask"])
        assert last[22:42, 38:58].mean() > 0.8
        assert client.delete("/api/videos/0/look-ahead").status_code == 200
        assert client.get("/api/videos/0/look-ahead").status_code == 404


def test_what_to_look_at_and_export(tmp_path: Path, video: Path, make_video: MakeVideo) -> None:
    write_results(tmp_path / "results.jsonl", video)
    entries = [
        ReviewEntry(
            video=name, obj_id="1", label="red", source_frame=n, time_s=n / 10, suspicion=0.9, why="it jumps", signs={}
        )
        for name, n in (("a.mp4", 7), ("other.mp4", 3))
    ]
    write_review(tmp_path / "review.jsonl", entries)
    with page(video, make_video(tmp_path / "b.mp4"), folder=tmp_path) as client:
        assert [one["source_frame"] for one in client.get("/api/videos/0/review").json()] == [7]
        assert client.get("/api/videos/1/review").json() == []
        assert document(client, 1)["kind"] == "prompts", "there are no results of this one"
        done = client.post("/api/export", json={"to": "mot"}).json()
        assert (done["objects"], done["output"]) == (40, str(tmp_path / "exports" / "mot"))
        assert len(read_results(Path(done["output"]))) == 1
        again = client.post("/api/export", json={"to": "mot"}).json()
        assert again["output"].endswith("mot_2")
        assert "coco, coco-video" in client.post("/api/export", json={"to": "avi"}).json()["detail"]


def test_a_video_that_cannot_be_read_says_why(tmp_path: Path, video: Path) -> None:
    (tmp_path / "bad.mp4").write_bytes(b"no video")
    with page(tmp_path / "bad.mp4", video, folder=tmp_path) as client:
        assert "bad.mp4: not a video file" in client.get("/api/videos/0").json()["detail"]
        assert client.get("/api/videos/1").status_code == 200


def test_a_run_without_anything_to_track_is_refused(tmp_path: Path, video: Path) -> None:
    with page(video, folder=tmp_path) as client:
        assert client.get("/api/run").json()["state"] == "none"
        assert "nothing is pointed at yet" in client.post("/api/run", json={}).json()["detail"]
        assert client.post("/api/export", json={"to": "mot"}).json()["detail"] == "there are no results yet: run first"


def _ended(client: TestClient) -> dict[str, Any]:
    """The run, once it has ended."""
    found: dict[str, Any] = {"state": "running"}
    deadline_s = time.monotonic() + 90
    while found["state"] == "running" and time.monotonic() < deadline_s:
        time.sleep(0.3)
        found = client.get("/api/run").json()
    return found


@pytest.mark.slow
@pytest.mark.usefixtures("prefect_server")
def test_a_long_video_is_annotated_and_corrected_from_the_page(tmp_path: Path, make_video: MakeVideo) -> None:
    video = make_video(tmp_path / "a.mp4", frames=70, fps=10, width=192)
    with page(video, folder=tmp_path) as client:
        show(client, obj_id=3, frame=0, box=[8, 22, 28, 42], label="brick")
        started = client.post("/api/run", json={"flow": "annotate-long-video", "fps": 2})
        assert started.status_code == 200, started.text
        assert client.post("/api/run", json={}).json()["detail"].startswith("a run is at work")
        assert _ended(client)["code"] == 0
        found = document(client)
        assert (found["kind"], [lane["runs"][0][:2] for lane in found["lanes"]]) == ("corrections", [[0, 65]])
        (number,) = (lane["obj_id"] for lane in found["lanes"])
        assert client.get("/api/videos/0/objects/31").json()["objects"] is None
        edit(client, op="hide", obj_id=number, first=30)
        show(client, obj_id=found["free_id"], frame=60, box=[128, 22, 148, 42], round=1)
        client.post("/api/run", json={})
        assert _ended(client)["code"] == 0, client.get("/api/run").json()
        lanes = {lane["obj_id"]: [run[:2] for run in lane["runs"]] for lane in document(client)["lanes"]}
        assert lanes == {number: [[0, 25]], found["free_id"]: [[0, 65]]}
        done = client.post("/api/export", json={"to": "coco"}).json()
        assert done["objects"] == 20


@pytest.mark.slow
@pytest.mark.usefixtures("prefect_server")
def test_a_run_is_cancelled_and_says_so(tmp_path: Path, make_video: MakeVideo) -> None:
    """Also where the page was started in the background, and so ignores SIGINT."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        _cancel(tmp_path, make_video)
    finally:
        signal.signal(signal.SIGINT, before)


def _cancel(tmp_path: Path, make_video: MakeVideo) -> None:
    video = make_video(tmp_path / "a.mp4", frames=2500, fps=10)  # it must still be at work when it is cancelled
    with page(video, folder=tmp_path) as client:
        show(client, obj_id=1, frame=0, box=[8, 22, 28, 42])
        client.post("/api/run", json={})
        deadline_s = time.monotonic() + 60
        while "Processing" not in str(client.get("/api/run").json()["lines"]) and time.monotonic() < deadline_s:
            time.sleep(0.2)
        assert client.delete("/api/run").status_code == 200
        assert _ended(client)["code"] == 130
        assert document(client)["kind"] == "prompts"
