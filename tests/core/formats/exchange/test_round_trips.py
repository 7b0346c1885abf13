"""Every format written and read back: identical where it can hold it, and no more lost than it says."""

from collections.abc import Callable
from dataclasses import replace
from itertools import count
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from neutral import video, videos
from scipy import ndimage

from core.formats.exchange.exporting import export
from core.formats.exchange.material import Shape
from core.formats.exchange.model import OBJECT, SeenFrame, SeenObject, VideoResults
from core.formats.exchange.registry import FORMATS, detect, read_results
from core.masks import Mask, rle
from core.masks.flatten import flatten

_fresh = count()
Loss = Callable[[SeenObject], SeenObject]


def _there_and_back(folder: Path, results: VideoResults, to: str, shape: Shape) -> VideoResults:
    output = folder / str(next(_fresh))
    export([results], to, output, shape=shape)
    assert detect(output) == to
    (back,) = read_results(output)
    assert (back.name, back.width, back.height) == (results.name, results.width, results.height)
    return back


def _frames(results: VideoResults, lost: Loss, empty: bool = True) -> list[SeenFrame]:
    """The frames without what a format cannot hold; objects by id: their order on a frame says nothing."""
    return [
        replace(frame, objects=tuple(sorted(map(lost, frame.objects), key=lambda one: one.obj_id)))
        for frame in results.read()
        if empty or frame.objects
    ]


def _nothing(one: SeenObject) -> SeenObject:
    return one


def _no_score(one: SeenObject) -> SeenObject:
    return replace(one, score=None)


@pytest.mark.parametrize("to", ["results", "rerun", "coco", "coco-video"])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25, deadline=None)
@given(data=st.data())
def test_masks_scores_ids_labels_and_times_come_back(tmp_path: Path, to: str, data: st.DataObject) -> None:
    results = data.draw(videos())
    back = _there_and_back(tmp_path, results, to, "mask")
    assert _frames(back, _nothing) == _frames(results, _nothing)
    assert (back.fps, back.length, back.path) == (results.fps, results.length, results.path)


@pytest.mark.parametrize("to", ["results", "coco", "coco-video", "dense"])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25, deadline=None)
@given(data=st.data())
def test_boxes_without_masks_come_back(tmp_path: Path, to: str, data: st.DataObject) -> None:
    results = data.draw(videos(boxes_only=True))
    back = _there_and_back(tmp_path, results, to, "box")
    if to == "dense":  # numbers by first sight, keeps the id as name, and has a score always
        by_name = [
            [(one.name, one.label, one.box_xyxy, one.score) for one in frame.objects]
            for frame in back.read()
            if frame.objects
        ]
        assert by_name == [
            [(str(o.obj_id), o.label, o.box_xyxy, 1.0 if o.score is None else o.score) for o in frame.objects]
            for frame in results.read()
            if frame.objects
        ]
    else:
        assert _frames(back, _nothing) == _frames(results, _nothing)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25, deadline=None)
@given(results=videos())
def test_davis_and_mots_keep_whose_each_pixel_is(tmp_path: Path, results: VideoResults) -> None:
    wanted = {
        frame.source_frame: flatten(
            [(o.obj_id, o.rle, o.score) for o in frame.objects if o.rle is not None], results.height, results.width
        )
        for frame in results.read()
    }
    labels = {one.obj_id: one.label for frame in results.read() for one in frame.objects}
    for to in ("davis", "mots"):
        back = _there_and_back(tmp_path, results, to, "mask")
        found = {frame.source_frame: frame for frame in back.read()}
        assert set(wanted) <= set(found)
        for source_frame, ids in wanted.items():
            objects = found[source_frame].objects
            assert {one.obj_id for one in objects} == set(np.unique(ids)) - {0}
            assert all((rle.decode(one.rle) == (ids == one.obj_id)).all() for one in objects if one.rle is not None)
            assert all(one.label == labels[one.obj_id] for one in objects)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25, deadline=None)
@given(results=videos(boxes_only=True))
def test_mot_keeps_boxes_ids_and_labels_and_beside_them_scores(tmp_path: Path, results: VideoResults) -> None:
    output = tmp_path / str(next(_fresh))
    export([results], "mot", output)
    (back,) = read_results(output)
    assert _frames(back, _no_score, empty=False) == _frames(results, _no_score, empty=False)
    rows = (output / "results" / "train" / "walk.txt").read_text().splitlines()
    scores = [1.0 if one.score is None else one.score for frame in results.read() for one in frame.objects]
    assert [float(row.split(",")[6]) for row in rows] == scores


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
@given(results=videos(boxes_only=True))
def test_cvat_keeps_boxes_to_half_a_pixel(tmp_path: Path, results: VideoResults) -> None:
    back = _there_and_back(tmp_path, results, "cvat", "box")
    pairs = list(zip(_frames(results, _no_score), _frames(back, _no_score), strict=True))
    for wanted, found in pairs:
        assert wanted.source_frame == found.source_frame
        assert [(o.obj_id, o.label) for o in wanted.objects] == [(o.obj_id, o.label) for o in found.objects]
        for one, other in zip(wanted.objects, found.objects, strict=True):
            assert np.abs(np.subtract(one.box_xyxy, other.box_xyxy)).max() <= 0.5


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
@given(results=videos())
def test_cvat_keeps_masks(tmp_path: Path, results: VideoResults) -> None:
    back = _there_and_back(tmp_path, results, "cvat", "mask")
    assert [f.objects for f in _frames(back, _no_score)] == [f.objects for f in _frames(results, _no_score)]


def _parts_filled(mask: Mask) -> list[Mask]:
    """The parts of a mask, those that touch at a corner being one, without holes."""
    outside, _ = ndimage.label(~np.pad(mask, 1))
    filled = (outside != outside[0, 0])[1:-1, 1:-1]
    labels, number = ndimage.label(filled, np.ones((3, 3)))
    return [np.asarray(labels == part, np.bool_) for part in range(1, number + 1)]


@pytest.mark.parametrize("to", ["coco", "coco-video", "cvat", "yolo"])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25, deadline=None)
@given(data=st.data())
def test_polygons_lose_holes_only(tmp_path: Path, to: str, data: st.DataObject) -> None:
    results = data.draw(videos())
    back = _there_and_back(tmp_path, results, to, "polygon")
    for wanted, found in zip(results.read(), back.read(), strict=True):
        assert len(wanted.objects) == len(found.objects)
        for one, other in zip(wanted.objects, found.objects, strict=True):
            assert one.rle is not None
            assert other.rle is not None
            before, after = _parts_filled(rle.decode(one.rle)), rle.decode(other.rle)
            if to == "cvat":  # and all but the largest part
                assert np.count_nonzero(after) == max(map(np.count_nonzero, before))
                assert any((after == part).all() for part in before)
            elif to == "yolo" and len(before) > 1:  # parts are joined by lines, which may cover what lies under them
                assert not (np.any(before, axis=0) & ~after).any()
            else:
                assert (after == np.any(before, axis=0)).all()
            assert one.label == other.label
            if to in ("coco", "coco-video"):
                assert (one.obj_id, one.score) == (other.obj_id, other.score)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25, deadline=None)
@given(results=videos(boxes_only=True))
def test_yolo_keeps_boxes_and_labels(tmp_path: Path, results: VideoResults) -> None:
    back = _there_and_back(tmp_path, results, "yolo", "box")
    assert not back.tracked
    for wanted, found in zip(results.read(), back.read(), strict=True):
        assert [one.label for one in wanted.objects] == [one.label for one in found.objects]
        for one, other in zip(wanted.objects, found.objects, strict=True):
            assert np.abs(np.subtract(one.box_xyxy, other.box_xyxy)).max() < 1e-3


def test_every_format_but_rerun_s_says_what_it_loses() -> None:
    assert {name for name, one in FORMATS.items() if not one.loses} == {"rerun"}


def test_an_object_that_leaves_and_returns_is_away_in_cvat(tmp_path: Path) -> None:
    box = SeenObject(1, OBJECT, (1, 2, 5, 6))
    frames = [SeenFrame(i, i / 25, (box,) if i in (0, 1, 5) else ()) for i in range(8)]
    back = _there_and_back(tmp_path, video(frames), "cvat", "box")
    assert [len(frame.objects) for frame in back.read()] == [1, 1, 0, 0, 0, 1, 0, 0]


def test_a_box_that_moves_evenly_has_two_key_frames(tmp_path: Path) -> None:
    frames = [SeenFrame(i, i / 25, (SeenObject(1, OBJECT, (i, 0, i + 4.0, 9)),)) for i in range(20)]
    export([video(frames)], "cvat", tmp_path / "out")
    text = (tmp_path / "out" / "train" / "walk.xml").read_text()
    assert text.count("<box ") == 2
    (back,) = read_results(tmp_path / "out")
    assert [one.box_xyxy[0] for frame in back.read() for one in frame.objects] == pytest.approx(list(range(20)))
