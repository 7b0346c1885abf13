"""Long videos through the command line: real server, real workers, real kills."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import MakeVideo
from running import Done, maskflow

from core.formats.dense_annotations import DenseFrame, read_dense
from core.formats.exchange.registry import read_results
from core.formats.links_jsonl import read_links
from core.formats.review_jsonl import read_review
from core.masks import rle
from core.masks.boxes import iou_matrix
from core.video.source import open_video
from flows.cli.main import run

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("prefect_server")]
FPS, FRAMES = 10, 120
ID = "P01-20240202-171220"
SQUARE, GROUND = "0a1b2c3d4e5f6071", "ffff00001111aaaa"


def square_box(frame: int) -> tuple[float, float, float, float]:
    """Where `moving_square` is, in pictures that are 64 pixels high and wide enough."""
    x = 8 + 2 * frame
    return x, 22, x + 20, 42


def _mask(frame: int, box: object) -> dict[str, Any]:
    return {"frame_number": frame, "3d_location": [0, 0, 0], "bbox": box, "fixture": None}


def _annotate(folder: Path, *more: object, video_ids: tuple[str, ...] = (ID,), kill_at: str | None = None) -> Done:
    return maskflow(
        "annotate-long-video", "--video_id", *video_ids, "--video_path", folder / "videos",
        "--assoc_info", folder / "assoc_info.json", "--mask_info", folder / "mask_info.json",
        "--scene_graph_dir", folder, "--output_dir", folder / "out", "--video_scale_factor", 1.0,
        "--num-workers", 2, *more, kill_at=kill_at,
    )  # fmt: skip


def _dense(folder: Path, video_id: str = ID) -> list[DenseFrame]:
    return list(read_dense(folder / "out" / f"dense_annotations_{video_id}.jsonl"))


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture
def kitchen(tmp_path: Path, make_video: MakeVideo) -> Path:
    """A video with a square that crosses it again and again, annotated as HD-EPIC does, some of it wrongly."""
    (tmp_path / "videos" / "P01").mkdir(parents=True)
    make_video(tmp_path / "videos" / "P01" / f"{ID}.mp4", frames=FRAMES, fps=FPS, width=288)
    masks = {f"m{frame}": _mask(frame, square_box(frame)) for frame in (1, 5, 13, 17, 25)}
    masks |= {"far": _mask(5, [400, 5, 420, 9]), "late": _mask(5000, [1, 1, 9, 9]), "g": _mask(63, [60.5, 4, 90, 20])}
    tracks = [
        {"track_id": "t0", "time_segment": [0.1, 0.5], "masks": ["m1", "m5"]},
        {"track_id": "t1", "time_segment": [1.3, 2.5], "masks": ["m13", "m17", "m25"]},
    ]
    associations = {
        SQUARE: {"name": "red square", "tracks": tracks},
        GROUND: {"name": "ground", "tracks": [{"track_id": "t", "time_segment": [6.3, 6.3], "masks": ["g", "lost"]}]},
        "no-masks": {"name": "pan", "tracks": [{"track_id": "t", "time_segment": [1, 2], "masks": []}]},
        "outside": {"name": "lid", "tracks": [{"track_id": "t", "time_segment": [0, 1], "masks": ["far", "late"]}]},
    }
    (tmp_path / "assoc_info.json").write_text(
        json.dumps({ID: associations, "P01-none": {}, "P01-broken": associations})
    )
    (tmp_path / "mask_info.json").write_text(json.dumps({ID: masks, "P01-broken": masks}))
    event = {"time": 0, "action": "INITIAL", "object_name": None, "mask_id": None}
    graph = {"counter": ["red square", "ground", "kettle"]}
    (tmp_path / f"scene_graphs_{ID}.jsonl").write_text(json.dumps({**event, "scene_graph": graph}) + "\n")
    return tmp_path


def test_good_annotations_are_used_and_bad_ones_named(kitchen: Path) -> None:
    windows = ("--window-duration", 4, "--window-overlap", 1, "--frame-interval", 4)
    videos = kitchen / "videos" / "P01"
    data = bytearray((videos / f"{ID}.mp4").read_bytes())
    data[len(data) * 3 // 4 : len(data) * 3 // 4 + 200] = bytes(200)
    (videos / "P01-broken.mp4").write_bytes(data)
    requested = (ID, "P01-missing", "P01-none", "P01-broken")
    first = _annotate(kitchen, *windows, "--hold-out", 0.2, "--recording", video_ids=requested)
    assert first.code == 1, first.err
    assert "Traceback" not in first.err + first.out
    reasons = {one["item"]: one["reason"] for one in _lines(kitchen / "out" / "failures.jsonl")}
    assert set(reasons) == {"P01-missing", "P01-none", "P01-broken"}
    assert "annotated without P01-broken forward" in reasons["P01-broken"]
    assert "cannot be decoded" in reasons["P01-broken"] or "corrupt" in reasons["P01-broken"]
    assert len(_dense(kitchen, "P01-broken")) > 10  # what came before is delivered
    assert "no such video" in reasons["P01-missing"]
    problems = {one["where"]: one["what"] for one in _lines(kitchen / "out" / f"problems_{ID}.jsonl")}
    assert problems[f"{GROUND} (ground), track 0"] == "mask lost is not in mask_info"
    assert "outside the picture of 288x64" in problems["outside (lid), frame 5"]
    assert "the video ends with frame 119" in problems["outside (lid), frame 5000"]
    assert "not annotated" in problems["no-masks (pan)"]
    assert "no-masks (pan)" in first.err

    frames = _dense(kitchen)
    assert [frame.frame_number for frame in frames] == list(range(0, FRAMES, 4))
    ids = Counter(one.assoc_id for frame in frames for one in frame.objects)
    assert set(ids) == {SQUARE, GROUND}
    for frame in frames[:8]:
        square = next(one for one in frame.objects if one.assoc_id == SQUARE)
        assert iou_matrix([square.bbox], [square_box(frame.frame_number)])[0, 0] > 0.6
    assert (kitchen / "out" / f"stationary_objects_{ID}.txt").read_text() == "kettle\n"
    (judged,) = _lines(kitchen / "out" / f"hold_out_{ID}.jsonl")
    assert judged["iou"] > 0.6
    assert (kitchen / "out" / f"recording_{ID}.rrd").stat().st_size > 1000
    assert "memory" in first.err
    page = (kitchen / "out" / f"report_{ID}.html").read_text()
    for part in (
        "peak memory of a worker",
        "Look at these first",
        "Items: speed and memory",
        "video_scale_factor",
    ):
        assert part in page
    doubtful = read_review(kitchen / "out" / f"review_{ID}.jsonl")
    assert {one.obj_id for one in doubtful} <= {SQUARE, GROUND}
    (neutral,) = read_results(kitchen / "out" / f"dense_annotations_{ID}.jsonl")
    seen = list(neutral.read())
    assert [frame.source_frame for frame in seen] == list(range(0, FRAMES, 4))
    assert {one.name for frame in seen for one in frame.objects} == {SQUARE, GROUND}

    # Again, with masks: no window is followed again, and all else stays as it was.
    again = _annotate(kitchen, *windows, "--hold-out", 0.2, "--masks")
    assert (again.code, again.processed) == (0, [f"{ID} (assemble)"])
    for frame, before in zip(_dense(kitchen), frames, strict=True):
        assert [one.model_copy(update={"segmentation": None}) for one in frame.objects] == before.objects
        assert all(one.segmentation for one in frame.objects)


def test_killed_in_any_window_the_bytes_are_the_same(kitchen: Path) -> None:
    windows = ("--window-duration", 5, "--window-overlap", 1, "--frame-interval", 6)
    whole = _annotate(kitchen, *windows)
    assert whole.code == 0, whole.err
    names = [f"{name}_{ID}.jsonl" for name in ("dense_annotations", "links", "review", "problems")]
    expected = [(kitchen / "out" / name).read_bytes() for name in names]
    assert len(whole.processed) == 2 + 3 + 2  # index, assemble, windows forward, windows backward up to frame 63
    (kitchen / "out").rename(kitchen / "whole")

    # Each run gets as far as the second window that one of its workers has done, and is killed while it saves it.
    kills = 0
    while (killed := _annotate(kitchen, *windows, kill_at="core.long_video.window_item:save_tracker:2")).code:
        assert killed.code == -9
        kills += 1
        assert kills < 12
    assert kills >= 2
    assert [(kitchen / "out" / name).read_bytes() for name in names] == expected


def test_segments_side_by_side_are_joined(kitchen: Path) -> None:
    cut = ("--window-duration", 4, "--window-overlap", 1, "--frame-interval", 2)
    done = _annotate(kitchen, *cut, "--mode", "parallel")
    assert done.code == 0, done.err
    frames = _dense(kitchen)
    assert [frame.frame_number for frame in frames] == list(range(0, FRAMES, 2))
    for frame in frames:
        boxes = {one.assoc_id: one.bbox for one in frame.objects}
        assert len(boxes) == len(frame.objects)
        assert iou_matrix([boxes[SQUARE]], [square_box(frame.frame_number)])[0, 0] > 0.5
    ground = [frame.frame_number for frame in frames for one in frame.objects if one.assoc_id == GROUND]
    assert min(ground) < 60 < max(ground)
    # The square is annotated in the first half only, and followed in the other.
    assert {one.window for frame in frames for one in frame.objects if one.assoc_id == SQUARE} >= {0, 2}
    links = {(link.assoc_id, link.kind) for link in read_links(kitchen / "out" / f"links_{ID}.jsonl")}
    assert (SQUARE, "continued") in links
    assert (GROUND, "overlap") in links  # its annotation lies in both segments


def test_a_text_finds_objects_in_segments_side_by_side(tmp_path: Path, make_video: MakeVideo) -> None:
    (tmp_path / "videos").mkdir()
    make_video(tmp_path / "videos" / "clip.mp4", frames=32, fps=FPS)
    done = maskflow(
        "annotate-long-video", "--video-id", "clip", "--video-path", tmp_path / "videos", "--text-prompt", "red square",
        "--output-dir", tmp_path / "out", "--window-duration", 1.5, "--window-overlap", 0.4, "--frame-interval", 1,
        "--detection-interval", 4, "--video-scale-factor", 1, "--mode", "parallel",
    )  # fmt: skip
    assert done.code == 0, done.err
    frames = _dense(tmp_path, "clip")
    assert [frame.frame_number for frame in frames] == list(range(32))
    for frame in frames:
        (square,) = frame.objects
        assert (square.assoc_id, square.assoc_name) == ("1", "red")
        assert iou_matrix([square.bbox], [square_box(frame.frame_number)])[0, 0] > 0.6
    links = read_links(tmp_path / "out" / "links_clip.jsonl")
    assert {link.kind for link in links} == {"overlap"}


def test_prompts_by_hand_as_masks(tmp_path: Path, make_video: MakeVideo) -> None:
    make_video(tmp_path / "v.mp4", frames=12, fps=10)
    mask = np.zeros((64, 96), np.bool_)
    mask[22:42, 16:36] = True
    entry = {"frame": 4, "obj_id": 5, "label": "square", "mask": dict(rle.encode(mask))}
    (tmp_path / "prompts.json").write_text(json.dumps({"v": [entry]}))
    done = maskflow(
        "annotate-long-video", "--video-id", "v", "--video-path", tmp_path / "v.mp4", "--prompts",
        tmp_path / "prompts.json", "--output-dir", tmp_path / "out", "--frame-interval", 2, "--video-scale-factor", 1,
    )  # fmt: skip
    assert done.code == 0, done.err
    frames = _dense(tmp_path, "v")
    assert [frame.frame_number for frame in frames] == list(range(0, 12, 2))
    assert {(one.assoc_id, one.assoc_name) for frame in frames for one in frame.objects} == {("5", "square")}
    assert [frame.objects[0].source for frame in frames].count("prompt") == 1


@pytest.mark.parametrize(
    ("more", "reported"),
    [
        (("--window-duration", 30, "--window-overlap", 30), "--window-overlap: 30.0 is not accepted: less than"),
        (("--video-scale-factor", 0.01), "--video-scale-factor"),
        (("--frame-interval", 0), "--frame-interval"),
        (("--text-prompt", "mug"), "there are 2: --assoc-info and --text-prompt"),
        (("--video-id", "../../etc"), "--video-id: '../../etc' is not accepted"),
        (
            ("--video-path", "/no/such/folder"),
            "--video-path: '/no/such/folder' is not accepted: a video, or a folder of videos",
        ),
        (("--mask-info", "/no/such/file"), "--mask-info: '/no/such/file' cannot be used: no such file"),
        (("--segmenter", "sam2"), "maskflow weights get"),
    ],
)
def test_bad_parameters_are_refused(
    more: tuple[object, ...], reported: str, kitchen: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    usual = {
        "--video-id": ID, "--video-path": kitchen / "videos", "--assoc-info": kitchen / "assoc_info.json",
        "--mask-info": kitchen / "mask_info.json", "--output-dir": kitchen / "out",
    }  # fmt: skip
    arguments = [part for flag, value in usual.items() if flag not in more for part in (flag, value)]
    assert run([str(part) for part in ("annotate-long-video", *arguments, *more)]) == 2
    assert reported in capsys.readouterr().err


def test_one_video_needs_no_id_and_is_drawn(tmp_path: Path, make_video: MakeVideo) -> None:
    video = make_video(tmp_path / "my clip.mp4", frames=20, fps=10)
    done = maskflow(
        "annotate-long-video", video, "--text-prompt", "red", "--frame-interval", 4, "--detection-interval", 4,
        "--output-dir", tmp_path / "out", "--annotated-video", "--no-draw-labels",
    )  # fmt: skip
    assert done.code == 0, done.err
    assert (tmp_path / "out" / "dense_annotations_my-clip.jsonl").stat().st_size > 100
    with open_video(tmp_path / "out" / "annotated_my-clip.mp4") as drawn:
        assert [round(frame.time_s, 2) for frame in drawn.frames()] == [0.0, 0.4, 0.8, 1.2, 1.6]
