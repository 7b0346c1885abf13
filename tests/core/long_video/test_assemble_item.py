"""Assembling: the documented file, each frame once, boxes in source pixels, held-out annotations judged."""

import json
from pathlib import Path
from typing import Any

import pytest
from conftest import MakeVideo
from following import box_on, carry, indexed, silent, thing

from core.formats.dense_annotations import read_dense
from core.formats.links_jsonl import read_links
from core.formats.review_jsonl import read_review
from core.long_video.assemble_item import assemble_video
from core.long_video.merge import Shard
from core.masks import rle
from core.masks.boxes import iou_matrix


def _assemble(video: Path, index: Path, shards: list[Shard], folder: Path, **more: Any) -> dict[str, Any]:
    folder.mkdir()
    request = {
        "video": video, "video_id": "v", "index": index, "size": (192, 128), "interval": 5, "shards": shards,
        "objects": {1: ("0a1b", "square"), 2: ("0a1c", "ground")}, "report": {"title": "A & B", "duration_s": 4.0},
    }  # fmt: skip
    return assemble_video(request | more, folder, silent)


@pytest.fixture
def followed(tmp_path: Path, make_video: MakeVideo) -> tuple[Path, Path, list[Shard]]:
    video = make_video(tmp_path / "video.mp4", frames=40, fps=10, width=192, height=128)
    index = indexed(video, tmp_path / "index")
    square = thing("0a1b", box_on(3, 14, 54, 34, 74), box_on(22, 52, 54, 72, 74))
    shards = carry(video, index, [square, thing("0a1c", box_on(7, 120, 10, 180, 40))], tmp_path / "w", 15, 5)
    return video, index, shards


def test_annotations_are_as_documented(tmp_path: Path, followed: tuple[Path, Path, list[Shard]]) -> None:
    record = _assemble(*followed, tmp_path / "out", masks=True)
    frames = list(read_dense(tmp_path / "out" / "dense_annotations.jsonl"))
    assert [frame.frame_number for frame in frames] == list(range(0, 40, 5))
    assert record["frames"] == 8
    for frame in frames:
        square = next(one for one in frame.objects if one.assoc_id == "0a1b")
        x = 8 + 2 * frame.frame_number
        assert square.bbox == pytest.approx((x, 54, x + 20, 74), abs=4)
        assert square.assoc_name == "square"
        assert square.window is None
        assert square.segmentation is not None
        assert square.segmentation["size"] == [128, 192]
        assert rle.box_xyxy(square.segmentation) == pytest.approx(square.bbox, abs=3)
        assert square.source == "propagated"
        nearest = min(abs(frame.frame_number - annotated) for annotated in (3, 22))
        assert square.prompt_distance_s == pytest.approx(nearest / 10)
    raw = json.loads((tmp_path / "out" / "dense_annotations.jsonl").read_text().splitlines()[0])
    assert list(raw) == ["frame_number", "objects"]
    assert list(raw["objects"][0])[:3] == ["assoc_id", "assoc_name", "bbox"]


def test_links_report_and_held_out_annotations(tmp_path: Path, followed: tuple[Path, Path, list[Shard]]) -> None:
    held = {1: [{"frame": 10, "box": (28, 54, 48, 74)}], 2: [{"frame": 39, "box": (0, 0, 5, 5)}]}
    record = _assemble(*followed, tmp_path / "out", held_out=held)
    (link,) = read_links(tmp_path / "out" / "links.jsonl")
    assert (link.assoc_id, link.from_frame, link.to_frame, link.kind) == ("0a1b", 3, 22, "annotations")
    assert link.score > 0.6
    assert not link.ambiguous
    judged = [json.loads(line) for line in (tmp_path / "out" / "hold_out.jsonl").read_text().splitlines()]
    assert judged[0]["iou"] > 0.6
    assert judged[1]["iou"] == 0.0
    assert record["hold_out"] == {
        "annotations": 2,
        "mean_iou": pytest.approx(judged[0]["iou"] / 2, abs=1e-3),
        "share_met": 0.5,
    }
    page = (tmp_path / "out" / "report.html").read_text()
    assert "A &amp; B" in page
    doubtful = {one.obj_id for one in read_review(tmp_path / "out" / "review.jsonl")}
    assert page.count("data:image/jpeg;base64,") == 5 + len(doubtful) > 5, "annotated frames, and what is doubtful"
    assert "square · 0a1b" in page


def test_the_same_windows_give_the_same_bytes(tmp_path: Path, followed: tuple[Path, Path, list[Shard]]) -> None:
    video, index, shards = followed
    _assemble(video, index, shards, tmp_path / "a")
    _assemble(video, index, shards[::-1], tmp_path / "b")
    for name in ("dense_annotations.jsonl", "links.jsonl", "hold_out.jsonl"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_two_hundred_objects_whose_documented_hashes_collide(tmp_path: Path, make_video: MakeVideo) -> None:
    video = make_video(tmp_path / "v.mp4", frames=2, fps=10)
    index = indexed(video, tmp_path / "index")
    tiles = [(x, y) for y in range(0, 60, 6) for x in range(0, 96, 4)][:200]
    ids = [f"{16**15 + 1000 * number:016x}" for number in range(200)]
    assert len({int(one, 16) % 1000 for one in ids}) == 1
    boxes = {one: (x, y, x + 4, y + 6) for one, (x, y) in zip(ids, tiles, strict=True)}
    shards = carry(video, index, [thing(one, box_on(0, *box)) for one, box in boxes.items()], tmp_path / "w", 2, 1)
    names = {number: (one, "tile") for number, one in enumerate(ids, 1)}
    _assemble(video, index, shards, tmp_path / "out", objects=names, size=(96, 64), interval=2)
    (frame,) = read_dense(tmp_path / "out" / "dense_annotations.jsonl")
    assert len({one.assoc_id for one in frame.objects}) == len(frame.objects) == 200
    for one in frame.objects:
        assert iou_matrix([one.bbox], [boxes[one.assoc_id]])[0, 0] > 0.3
