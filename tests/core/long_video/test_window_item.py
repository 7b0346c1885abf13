"""Following windows: the cut does not show, objects outlive the window they are annotated in, memory is reported."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import MakeVideo
from following import box_on, carry, find, indexed, thing
from trained_sam2 import trained_spec

from core.evaluation.clips import SCENES, render_clip, truth_file
from core.evaluation.davis import region_similarity
from core.formats.window_shard import ShardObject, ShardRow, read_arrivals
from core.long_video.merge import Shard, best_sightings, merged_rows
from core.long_video.names import Names
from core.masks import rle
from core.store.safe_load import load_json

# The square of `moving_square` at 96x64 is 20 pixels wide, at x = 8 + 2 f mod 64.
OBJECTS = [
    thing("square", box_on(3, 14, 22, 34, 42), box_on(35, 14, 22, 34, 42)),
    thing("ground", box_on(47, 60, 5, 90, 20)),
]


def _rows(shards: list[Shard]) -> list[str]:
    found = []
    for frame, time_s, rows in merged_rows(shards):
        best = best_sightings(rows, lambda _, seen: (-1, seen.obj_id))
        objects = [seen.found for _, seen in sorted(best.items())]
        found.append(ShardRow(frame=frame, time_s=time_s, objects=objects).model_dump_json())
    return found


@pytest.mark.slow
@pytest.mark.parametrize("segmenter", ["classical", "sam2"])
def test_the_windows_do_not_show(segmenter: str, tmp_path: Path, make_video: MakeVideo) -> None:
    model = {"backend": "classical"} if segmenter == "classical" else trained_spec()
    video = make_video(tmp_path / "video.mp4", frames=60, fps=1)
    index = indexed(video, tmp_path / "index")
    lengths = (10, 20, 60) if segmenter == "classical" else (20, 60)
    found = [
        _rows(carry(video, index, OBJECTS, tmp_path / f"w{length}", length, 3, segmenter=model)) for length in lengths
    ]
    assert all(rows == found[0] for rows in found)
    frames = [json.loads(row)["frame"] for row in found[0]]
    assert frames == sorted({*range(0, 60, 3), 35, 47})  # the grid, and every annotated frame
    assert sum(len(json.loads(row)["objects"]) for row in found[0]) > 15


def test_an_object_annotated_in_the_first_window_is_followed_in_the_next(tmp_path: Path, make_video: MakeVideo) -> None:
    video = make_video(tmp_path / "video.mp4", frames=30, fps=10)
    index = indexed(video, tmp_path / "index")
    shards = carry(video, index, [thing("square", box_on(2, 12, 22, 32, 42))], tmp_path / "w", 10, 1)
    later = [row for shard in shards if shard.window == 2 for row in shard.rows()]
    assert [row.frame for row in later] == list(range(20, 30))
    for row in later:
        (one,) = row.objects
        assert (one.since, one.anchored) == (2, False)
    backward = [shard for shard in shards if shard.direction == "backward"]
    assert [row.frame for shard in backward for row in shard.rows()] == [0, 1, 2]


def test_objects_are_not_followed_where_they_are_not_plausible(tmp_path: Path, make_video: MakeVideo) -> None:
    video = make_video(tmp_path / "video.mp4", frames=30, fps=10)
    index = indexed(video, tmp_path / "index")
    objects = [thing("a", box_on(5, 18, 22, 38, 42)), thing("b", box_on(20, 48, 22, 68, 42))]
    shards = carry(video, index, objects, tmp_path / "w", 12, 1, margin_s=0.4)
    found = {(json.loads(row)["frame"], one["obj_id"]) for row in _rows(shards) for one in json.loads(row)["objects"]}
    assert found == {(frame, 1) for frame in range(1, 10)} | {(frame, 2) for frame in range(16, 25)}


def test_arrivals_tell_how_well_annotations_are_met(tmp_path: Path, make_video: MakeVideo) -> None:
    video = make_video(tmp_path / "video.mp4", frames=20, fps=10)
    index = indexed(video, tmp_path / "index")
    right = thing("right", box_on(2, 12, 22, 32, 42), box_on(10, 28, 22, 48, 42))
    wrong = thing("wrong", box_on(2, 12, 22, 32, 42), box_on(10, 70, 2, 90, 12))
    shards = carry(video, index, [right, wrong], tmp_path / "w", 20, 1)
    forward = {one.obj_id: one for shard in shards[:1] for one in read_arrivals(shard.folder)}
    assert (forward[1].since, forward[1].frame) == (2, 10)
    assert forward[1].iou > 0.7
    assert forward[1].rival is not None
    assert forward[1].rival[0] == 2  # it followed the same square
    assert forward[2].iou < 0.1


@pytest.mark.slow
def test_windows_do_not_show_in_what_a_text_finds(tmp_path: Path, make_video: MakeVideo) -> None:
    video = make_video(tmp_path / "video.mp4", frames=36, fps=10, width=160)
    index = indexed(video, tmp_path / "index")
    found = []
    for length in (5, 13, 36):
        shards = find(video, index, "red square", tmp_path / f"w{length}", length, detect_every=3)
        names = Names({}, shards, False, [])
        rows = [(frame, best_sightings(rows, names.identify)) for frame, _, rows in merged_rows(shards)]
        found.append([(frame, [(who, one.found) for who, one in sorted(best.items())]) for frame, best in rows])
    assert found[0] == found[1] == found[2]
    assert [[who for who, _ in objects] for _, objects in found[0]] == [[(-1, 1)]] * 36


def _iou(objects: list[ShardObject], truth: rle.RLE) -> float:
    """Of the one object with the truth, which is larger than the picture it was followed in."""
    if not objects:
        return 0.0
    found, wanted = rle.decode(objects[0].rle), rle.decode(truth)
    grown = cv2.resize(found.view(np.uint8), wanted.shape[::-1], interpolation=cv2.INTER_NEAREST)
    return region_similarity(grown > 0, wanted)


@pytest.mark.slow
def test_a_trained_sam2_is_carried_through_windows_and_an_occlusion(tmp_path: Path) -> None:
    scene = SCENES[1]
    video = tmp_path / "pillar.mp4"
    render_clip(scene, video, 1)
    index = indexed(video, tmp_path / "index")
    truth = load_json(truth_file(video))
    red = thing("red", box_on(0, *rle.box_xyxy(truth[0]["red"])))
    ious = []
    for length in (30, 90):
        shards = carry(video, index, [red], tmp_path / f"w{length}", length, 2, segmenter=trained_spec())
        found = {row.frame: row.objects for shard in shards for row in shard.rows()}
        ious.append([_iou(found[frame], truth[frame]["red"]) for frame in (10, 70, 80, 88)])
    assert ious[0] == ious[1], "where a window ends is not to be seen"
    assert min(ious[0]) > 0.4


def test_no_more_objects_than_wanted_are_found(tmp_path: Path, make_video: MakeVideo) -> None:
    video = make_video(tmp_path / "video.mp4", frames=8, fps=10)
    index = indexed(video, tmp_path / "index")
    text = "red square. motion"
    found = {
        most: {one.obj_id for shard in find(video, index, text, tmp_path / str(most), 4, 1, **more)
               for row in shard.rows() for one in row.objects}
        for most, more in ((None, {}), (1, {"max_objects": 1}))
    }  # fmt: skip
    assert len(found[1]) == 1
    assert len(found[None]) >= 1


def test_between_stretches_nothing_is_followed_and_nothing_arrives(tmp_path: Path, make_video: MakeVideo) -> None:
    video = make_video(tmp_path / "video.mp4", frames=30, fps=10)
    index = indexed(video, tmp_path / "index")
    twice = thing("a", box_on(5, 18, 22, 38, 42), box_on(24, 56, 22, 76, 42))
    # Another object's frames lie in the gap or do not: the first one must not notice.
    other = thing("b", box_on(14, 36, 22, 56, 42))
    found = []
    for name, objects in (("alone", [twice]), ("together", [twice, other])):
        shards = carry(video, index, objects, tmp_path / name, 30, 1, margin_s=0.4)
        assert not [arrival for shard in shards for arrival in read_arrivals(shard.folder) if arrival.obj_id == 1]
        rows = [json.loads(row) for row in _rows(shards)]
        found.append({row["frame"] for row in rows if any(one["obj_id"] == 1 for one in row["objects"])})
    assert found[0] == found[1] == {*range(1, 10), *range(20, 29)}
