"""Corrections applied to frames: identities, absences, names, and what was tracked again."""

from pathlib import Path

import numpy as np

from core.corrections.correct_item import Anew, correct_frame, correct_tracks, labels_of
from core.formats.corrections import VideoCorrections
from core.formats.tracks import (
    FRAMES_FILE,
    FrameRecord,
    ObjectRecord,
    VideoHead,
    read_frames,
    read_moments,
    write_frames,
    write_head,
)
from core.masks import rle


def _seen(obj_id: int, side: int, label: str | None = "cup") -> ObjectRecord:
    mask = np.zeros((20, 30), np.bool_)
    mask[:side, :side] = True
    return ObjectRecord(
        obj_id=obj_id, bbox=(0, 0, side, side), label=label, score=0.5, detection_score=None, rle=rle.encode(mask)
    )


def _frame(number: int, *objects: ObjectRecord) -> FrameRecord:
    return FrameRecord(frame_idx=number, source_frame=number, time_s=number / 10, objects=list(objects))


def _ids(record: FrameRecord) -> dict[int, int]:
    """Side of each object's mask, by id."""
    return {one.obj_id: one.bbox[2] for one in record.objects}


def test_merged_the_larger_mask_stands_for_both_and_split_at_a_frame() -> None:
    corrections = VideoCorrections.model_validate({"ids": [{"obj_id": 4, "is": 1}, {"obj_id": 2, "first": 5, "is": 7}]})
    objects = (_seen(1, 3), _seen(2, 4), _seen(4, 6))
    assert _ids(correct_frame(_frame(4, *objects), corrections, [], {})) == {1: 6, 2: 4}
    assert _ids(correct_frame(_frame(5, *objects), corrections, [], {})) == {1: 6, 7: 4}


def test_two_that_changed_places_are_put_back() -> None:
    swap = [{"obj_id": 1, "first": 5, "is": 2}, {"obj_id": 2, "first": 5, "is": 1}]
    found = correct_frame(_frame(6, _seen(1, 3), _seen(2, 4)), VideoCorrections.model_validate({"ids": swap}), [], {})
    assert _ids(found) == {1: 4, 2: 3}


def test_what_was_tracked_again_takes_the_place_of_what_was_tracked_also_where_it_sees_nothing() -> None:
    record = _frame(3, _seen(1, 3), _seen(2, 4))
    assert _ids(correct_frame(record, VideoCorrections(), [Anew(1, _seen(1, 9)), None], {})) == {1: 9, 2: 4}
    assert _ids(correct_frame(record, VideoCorrections(), [Anew(1, None)], {})) == {2: 4}


def test_absent_deleted_and_renamed() -> None:
    entries = {"absent": [{"obj_id": 1, "first": 3, "last": 4}, {"obj_id": 2}], "labels": {"1": "dog"}}
    corrections = VideoCorrections.model_validate(entries)
    labels = labels_of(corrections, {1: "cup", 2: "cup"})
    found = [correct_frame(_frame(n, _seen(1, 3), _seen(2, 4)), corrections, [], labels) for n in range(6)]
    assert [list(_ids(one)) for one in found] == [[1], [1], [1], [], [], [1]]
    assert found[0].objects[0].label == "dog"


def test_names_go_with_identities() -> None:
    entries = {
        "ids": [{"obj_id": 4, "is": 1}, {"obj_id": 2, "first": 5, "is": 7}],
        "prompts": [{"obj_id": 9, "frame": 0, "box": [0, 0, 5, 5], "label": "pen"}, {"obj_id": 2, "box": [0, 0, 5, 5]}],
    }
    known = {1: "dog", 2: "cat", 4: "cow"}
    assert labels_of(VideoCorrections.model_validate(entries), known) == {1: "dog", 7: "cat", 9: "pen", 2: "cat"}


def test_a_whole_folder(tmp_path: Path) -> None:
    for name, frames in (
        ("tracks", [_frame(n, _seen(1, 3)) for n in range(6)]),
        ("again", [_frame(n, *([] if n == 3 else [_seen(1, 8)])) for n in (4, 3, 2)]),
    ):
        (tmp_path / name).mkdir()
        with (tmp_path / name / FRAMES_FILE).open("w") as stream:
            write_frames(stream, frames)
    write_head(tmp_path / "tracks", VideoHead(width=30, height=20, original_fps=10, process_fps=10, total_frames=6))
    (tmp_path / "out").mkdir()
    retracked = {
        "obj_id": 1, "owned": [{"first": 2, "last": 3}],
        "stretches": [{"folder": str(tmp_path / "again"), "first": 2, "last": 4}],
    }  # fmt: skip
    request = {"tracks": str(tmp_path / "tracks"), "corrections": {}, "retracked": [retracked], "labels": {1: "cup"}}
    record = correct_tracks(request, tmp_path / "out", lambda *_: None)
    assert [_ids(one).get(1) for one in read_frames(tmp_path / "out")] == [3, 3, 8, None, 3, 3]
    assert list(read_moments(tmp_path / "out")) == [(n, n / 10) for n in range(6)]
    assert (record["frames"], record["summary"][0]["frames"]) == (6, 5)
