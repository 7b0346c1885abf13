"""What somebody changed elsewhere becomes corrections, and nothing else does."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from core.errors import RefusedInput
from core.formats.exchange.differences import corrections_of, pair_videos
from core.formats.exchange.model import SeenFrame, SeenObject, VideoResults
from core.masks import Mask, rle
from core.masks.boxes import mask_box


def _mask(x: int, y: int, side: int = 12) -> Mask:
    mask = np.zeros((60, 90), np.bool_)
    mask[y : y + side, x : x + side] = True
    return mask


def _seen(obj_id: int, x: int, y: int, label: str = "cup", side: int = 12) -> SeenObject:
    mask = _mask(x, y, side)
    box = mask_box(mask)
    assert box is not None
    return SeenObject(obj_id, label, box, 0.7, rle.encode(mask))


def _video(frames: list[SeenFrame], name: str = "a", complete: bool = True) -> VideoResults:
    return VideoResults(name, 90, 60, 10, lambda: iter(frames), length=20, complete=complete)


WAS = [SeenFrame(n, n / 10, (_seen(1, 5 + n, 5), _seen(2, 60 - n, 40, "dog"))) for n in range(0, 20, 2)]
Change = Callable[[SeenFrame], SeenFrame]


def _edited(change: Change, complete: bool = True) -> VideoResults:
    return _video([change(frame) for frame in WAS], complete=complete)


def _other_ids(frame: SeenFrame) -> SeenFrame:
    return replace(frame, objects=tuple(replace(one, obj_id=10 - one.obj_id) for one in reversed(frame.objects)))


def test_nothing_changed_is_nothing_whatever_the_ids() -> None:
    found = corrections_of(_edited(_other_ids), _video(WAS))
    assert (found.prompts, found.absent, found.ids, found.labels) == ([], [], [], {})


def test_a_changed_shape_is_a_prompt_and_a_little_loss_is_none() -> None:
    def change(frame: SeenFrame) -> SeenFrame:
        first, second = frame.objects
        if frame.source_frame == 6:
            first = _seen(1, 20, 20)
        if frame.source_frame == 8:
            second = _seen(2, 60 - 8, 40, "dog", side=13)
        return replace(frame, objects=(first, second))

    found = corrections_of(_edited(change), _video(WAS))
    assert [(one.obj_id, one.frame) for one in found.prompts] == [(1, 6), (2, 8)]
    assert found.prompts[0].mask == rle.encode(_mask(20, 20))


def test_missing_objects_are_absent_there_or_deleted_and_names_change() -> None:
    def change(frame: SeenFrame) -> SeenFrame:
        kept = [one for one in frame.objects if one.obj_id == 1 and not 4 <= frame.source_frame <= 8]
        return replace(frame, objects=tuple(replace(one, label="mug") for one in kept))

    found = corrections_of(_edited(change), _video(WAS))
    assert {(one.obj_id, one.first, one.last) for one in found.absent} == {(1, 4, 8), (2, 0, None)}
    assert found.labels == {1: "mug"}
    assert found.prompts == []


def test_a_new_object_gets_an_id_of_its_own() -> None:
    def change(frame: SeenFrame) -> SeenFrame:
        more = (_seen(7, 70, 5, "pen"),) if frame.source_frame in (4, 6) else ()
        return replace(frame, objects=(*frame.objects, *more))

    found = corrections_of(_edited(change), _video(WAS))
    assert [(one.obj_id, one.frame, one.label) for one in found.prompts] == [(3, 4, "pen"), (3, 6, "pen")]


def test_frames_that_were_not_looked_at_say_nothing() -> None:
    few = _video([frame for frame in WAS if frame.source_frame < 6], complete=False)
    assert corrections_of(few, _video(WAS)).absent == []


def test_videos_are_paired_by_name() -> None:
    results = [_video(WAS, "a"), _video(WAS, "b")]
    assert [(one.name, other.name) for one, other in pair_videos([_video(WAS, "b")], results)] == [("b", "b")]
    with pytest.raises(RefusedInput, match="annotations of videos of the results, as 'a', 'b'"):
        pair_videos([_video(WAS, "c")], results)
