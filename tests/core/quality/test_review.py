"""Signs of trouble: what is wrong is more suspicious than what is right, in itself and in the list."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from neutral import video

from core.formats.exchange.model import BadResults, SeenFrame, SeenObject, VideoResults
from core.formats.exchange.sources import Sources
from core.formats.review_jsonl import read_review, write_review
from core.masks import Mask, rle
from core.quality.picture_signs import disagreement, flow_between, off_edges
from core.quality.review import doubts, review, review_whole
from core.quality.shape_signs import in_pieces, ragged
from core.quality.signs import look_through
from core.video.writer import write_video

_H, _W = 96, 128


def _disk(x: float, y: float, radius: float = 14) -> Mask:
    rows, columns = np.ogrid[:_H, :_W]
    return np.asarray((columns - x) ** 2 + (rows - y) ** 2 <= radius**2, np.bool_)


def _clip(path: Path, frames: int = 30) -> list[Mask]:
    """A bright disk that moves over a dark textured ground; its true masks."""
    ground = np.random.default_rng(0).integers(20, 70, (_H, _W, 3), np.uint8)
    masks = [_disk(30 + 2 * i, 48) for i in range(frames)]
    with write_video(path, 10, _W, _H) as out:
        for index, mask in enumerate(masks):
            image = ground.copy()
            image[mask] = (220, 60, 40)
            out.write(image, index / 10)
    return masks


def _results(masks: list[Mask], scores: list[float] | None = None) -> VideoResults:
    frames = []
    for index, mask in enumerate(masks):
        packed = rle.encode(mask)
        score = None if scores is None else scores[index]
        frames.append(SeenFrame(index, index / 10, (SeenObject(1, "disk", rle.box_xyxy(packed), score, packed),)))
    return VideoResults("clip", _W, _H, 10.0, lambda: iter(frames), len(frames))


def _suspicion(results: VideoResults, sources: Sources | None) -> dict[int, float]:
    return {doubt.signs.source_frame: doubt.suspicion for doubt in doubts(look_through(results, sources))}


def test_wrong_masks_are_more_suspicious_than_right_ones(tmp_path: Path) -> None:
    masks = _clip(tmp_path / "clip.mp4")
    wrong = {12, 13, 14, 15}
    found = [_disk(90, 20, 25) if index in wrong else mask for index, mask in enumerate(masks)]
    reported = {
        d.signs.source_frame: d.suspicion for d in doubts(look_through(_results(found), Sources(tmp_path / "clip.mp4")))
    }
    assert len(reported) == len(masks)
    assert min(reported[index] for index in wrong) > max(reported[index] for index in reported if abs(index - 13.5) > 6)
    first = review(_results(found), Sources(tmp_path / "clip.mp4"))[0]
    assert 11 <= first.source_frame <= 16
    assert "jumps" in first.why or "move" in first.why


def test_shapes_and_scores_alone_tell_too() -> None:
    masks = [_disk(30 + i, 48) for i in range(20)]
    masks[10] = _disk(100, 20)
    reported = {d.signs.source_frame: d for d in doubts(look_through(_results(masks, [1.0] * 20), None))}
    assert max(reported, key=lambda frame: reported[frame].signs.mean) in (10, 11)
    assert set(reported[0].signs.signs) == {"area", "motion", "score", "pieces", "ragged"}
    low = {
        d.signs.source_frame: d.suspicion
        for d in doubts(look_through(_results([_disk(40, 40)] * 9, [1.0] * 4 + [0.1] * 5), None))
    }
    assert low[8] > low[0]


def test_what_changes_at_a_cut_is_not_suspicious() -> None:
    masks = [_disk(30, 40)] * 10 + [_disk(100, 60, 30)] * 10
    assert max(_suspicion(replace(_results(masks), cuts=frozenset({10})), None).values()) < 0.05
    assert max(_suspicion(_results(masks), None).values()) > 0.2


def test_objects_that_are_mostly_wrong_are_doubtful(tmp_path: Path) -> None:
    masks = _clip(tmp_path / "clip.mp4")
    sources = Sources(tmp_path / "clip.mp4")
    rng = np.random.default_rng(0)
    wrong = [_disk(rng.uniform(20, 76), rng.uniform(20, 76), rng.uniform(5, 25)) for _ in masks]
    for found, score, doubtful in ((masks, 0.9, []), (wrong, 0.9, [1]), (masks, 0.3, [1])):
        results = _results(found, [score] * len(masks))
        assert review_whole(results, sources).doubtful == doubtful


def test_boxes_are_judged_by_place_and_size() -> None:
    frames = [SeenFrame(i, i / 10, (SeenObject(1, "x", (5, 5, 15, 15)),)) for i in range(6)]
    assert all(set(one.signs) == {"area", "motion"} for one in look_through(video(frames), None))


def test_every_mask_is_judged_once_whatever_comes_and_goes() -> None:
    rng = np.random.default_rng(1)
    frames = []
    for index in range(50):
        objects = [
            SeenObject(obj_id, "x", rle.box_xyxy(mask), 0.9, mask)
            for obj_id in (1, 2, 3)
            if rng.random() < 0.7
            for mask in [rle.encode(_disk(20 * obj_id + index % 7, 40))]
        ]
        frames.append(SeenFrame(index, index / 10, tuple(objects)))
    reported = [(d.signs.obj_id, d.signs.source_frame) for d in doubts(look_through(video(frames), None))]
    assert sorted(reported) == sorted((one.obj_id, frame.source_frame) for frame in frames for one in frame.objects)
    assert all(0 <= d.suspicion <= 1 for d in doubts(look_through(video(frames), None)))


def test_no_more_than_ten_frames_a_second_are_looked_at() -> None:
    frames = [SeenFrame(i, i / 30, (SeenObject(1, "x", (5, 5, 15, 15)),)) for i in range(90)]
    assert [one.source_frame for one in look_through(video(frames), None)] == list(range(0, 90, 3))


def test_single_signs() -> None:
    assert in_pieces(_disk(40, 40)) == 0
    assert in_pieces(np.asarray(_disk(30, 30) | _disk(90, 60), np.bool_)) == pytest.approx(0.5, abs=0.01)
    comb = _disk(60, 48, 30)
    comb[::2] = False
    assert ragged(_disk(60, 48, 30)) < 0.1 < ragged(comb)
    image = np.zeros((_H, _W, 3), np.uint8)
    image[_disk(60, 48)] = 200
    assert off_edges(image, _disk(60, 48)) < 0.2 < off_edges(image, _disk(90, 30))
    rng = np.random.default_rng(0)
    texture = np.kron(rng.integers(0, 255, (24, 40, 3), np.uint8), np.ones((4, 4, 1), np.uint8))
    before, now = texture[:, :_W], texture[:, 6 : _W + 6]
    flow = flow_between(np.ascontiguousarray(before), np.ascontiguousarray(now))
    moved, stayed = _disk(54, 48), _disk(60, 48)
    assert disagreement(_disk(60, 48), moved, flow) < disagreement(_disk(60, 48), stayed, flow)


def test_a_review_list_comes_back_and_a_missing_video_is_told(tmp_path: Path) -> None:
    masks = [_disk(30 + i, 48) for i in range(20)]
    masks[10] = _disk(100, 20)
    entries = review(_results(masks), None)
    write_review(tmp_path / "review.jsonl", entries)
    assert read_review(tmp_path / "review.jsonl") == entries
    assert [one.suspicion for one in entries] == sorted((one.suspicion for one in entries), reverse=True)
    with pytest.raises(BadResults, match="clip: no pictures: nothing says where it is"):
        review(_results(masks), Sources())
