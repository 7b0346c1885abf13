"""The whole loop on clips with exact truth: real detector, real segmenter."""

import threading
from collections.abc import Iterator

import numpy as np
import pytest

from core.evaluation.clip_score import score_frames
from core.evaluation.clips import SCENES, Scene, render_scene
from core.formats.tracks import FrameRecord
from core.masks import rle
from core.masks.boxes import mask_box
from core.models.classical.detector import ClassicalDetector
from core.models.classical.segmenter import ClassicalSegmenter
from core.prompts import Detection, ObjectPrompt, Prompt, Trust
from core.tracking.loop import track_frames
from core.tracking.tracker import Tracker
from core.video.frames import RGB, Frame


def _frames(scene: Scene) -> Iterator[Frame]:
    for index, (image, _) in enumerate(render_scene(scene)):
        yield Frame(image, index, index / scene.fps)


def _track(scene: Scene, prompt: str, every: int = 1, max_held: int = 60) -> list[FrameRecord]:
    tracker = Tracker(ClassicalSegmenter().start(), ClassicalDetector().start(prompt), every)
    return list(track_frames(_frames(scene), tracker, max_held=max_held))


@pytest.mark.slow
@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.name)
def test_identities_survive_crossing_occlusion_and_absence(scene: Scene) -> None:
    records = _track(scene, "red object. green object. blue object", every=2)
    truth = [{name: rle.encode(mask) for name, mask in masks.items()} for _, masks in render_scene(scene)]
    frames = [
        {"objects": [{"obj_id": one.obj_id, "segmentation": one.rle} for one in record.objects]} for record in records
    ]
    score = score_frames(truth, frames)
    assert score.ids_kept == score.objects
    assert score.jf.jf > 0.9
    assert [record.frame_idx for record in records] == list(range(scene.frames))


def test_no_record_for_what_is_not_there_and_one_from_the_first_frame_for_what_is() -> None:
    records = _track(SCENES[2], "blue object")
    assert [one.obj_id for one in records[0].objects] == [1]
    gone = [record for record in records if not record.objects]
    assert len(gone) > 10  # while it is outside the picture
    assert all(one.bbox != (0, 0, 0, 0) for record in records for one in record.objects)
    assert {one.obj_id for record in records for one in record.objects} == {1}


def test_what_is_seen_once_only_is_no_object() -> None:
    scene = SCENES[0]

    class Flicker:
        """Claims one more object on a single frame."""

        def trust_of(self, label: str | None) -> Trust:
            return Trust()

        def __init__(self) -> None:
            self._real = ClassicalDetector().start("red")
            self._calls = 0

        def detect(self, image: RGB) -> list[Detection]:
            self._calls += 1
            found = self._real.detect(image)
            return [*found, Detection((300, 20, 350, 60), "red", 0.9)] if self._calls == 5 else found

    tracker = Tracker(ClassicalSegmenter().start(), Flicker(), 1)
    records = list(track_frames((frame for frame in _frames(scene) if frame.source_frame < 20), tracker))
    assert {one.obj_id for record in records for one in record.objects} == {1}
    assert len(tracker.rejected) >= 1


@pytest.mark.parametrize("max_held", [1, 2, 60])
def test_few_frames_are_held_back_and_all_come_out(max_held: int) -> None:
    tracker = Tracker(ClassicalSegmenter().start(), ClassicalDetector().start("red. blue"), 4)
    taken = 0

    def counted() -> Iterator[Frame]:
        nonlocal taken
        for frame in _frames(SCENES[0]):
            if frame.source_frame == 16:
                return
            taken += 1
            yield frame

    given = 0
    for record in track_frames(counted(), tracker, max_held=max_held):
        assert record.frame_idx == given
        given += 1
        assert taken - given <= max_held + 1  # and the one that the model may look ahead at
    assert given == 16


def test_prompts_keep_their_ids_and_start_where_they_say() -> None:
    scene = SCENES[0]
    _, masks = next(iter(render_scene(scene)))
    prompts = [
        ObjectPrompt(7, 0, "the red one", Prompt(box=mask_box(masks["red"]))),
        ObjectPrompt(3, 5, None, Prompt(points=((240.0, 150.0, True),))),
    ]
    frames = (frame for frame in _frames(scene) if frame.source_frame < 10)
    records = list(track_frames(frames, Tracker(ClassicalSegmenter().start(), None), prompts))
    assert [sorted(one.obj_id for one in record.objects) for record in records] == [[7]] * 5 + [[3, 7]] * 5
    assert records[0].objects[0].label == "the red one"
    assert records[0].objects[0].detection_score is None


@pytest.mark.parametrize(("frames", "every", "max_held"), [(1, 1, 60), (10, 10, 60), (12, 30, 4), (30, 5, 4)])
def test_rare_detection_still_finds_what_is_there(frames: int, every: int, max_held: int) -> None:
    few = (frame for frame in _frames(SCENES[0]) if frame.source_frame < frames)
    tracker = Tracker(ClassicalSegmenter().start(), ClassicalDetector().start("red object"), every)
    records = list(track_frames(few, tracker, max_held=max_held))
    assert [len(record.objects) for record in records] == [1] * frames


def test_an_object_on_another_is_born_where_its_label_differs() -> None:
    def frames() -> Iterator[Frame]:
        for index in range(8):
            image = np.full((120, 160, 3), 128, np.uint8)
            image[20:100, 20:140] = (40, 160, 60)
            if index >= 3:
                image[50:70, 60:90] = (210, 40, 40)
            yield Frame(image, index, index / 10)

    tracker = Tracker(ClassicalSegmenter().start(), ClassicalDetector().start("green. red"))
    records = list(track_frames(frames(), tracker))
    assert {one.label for one in records[-1].objects} == {"green", "red"}


def test_an_error_in_encoding_a_mask_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(mask: object) -> None:
        raise MemoryError("no room for a mask")

    monkeypatch.setattr("core.masks.rle.encode", fail)
    tracker = Tracker(ClassicalSegmenter().start(), ClassicalDetector().start("red"), 1)
    with pytest.raises(MemoryError, match="no room"):
        list(track_frames((frame for frame in _frames(SCENES[0]) if frame.source_frame < 8), tracker))


def test_a_loop_that_is_left_early_leaves_no_thread_behind() -> None:
    tracker = Tracker(ClassicalSegmenter().start(), ClassicalDetector().start("red"), 1)
    records = track_frames(_frames(SCENES[0]), tracker)
    next(records)
    assert any(thread.name.startswith("encode-masks") for thread in threading.enumerate())
    records.close()  # type: ignore[attr-defined]
    assert not any(thread.name.startswith("encode-masks") for thread in threading.enumerate())


def test_a_prompt_beyond_the_end_costs_nothing_else() -> None:
    tracker = Tracker(ClassicalSegmenter().start(), None)
    late = ObjectPrompt(4, 99, None, Prompt(box=(10.0, 10.0, 50.0, 50.0)))
    frames = (frame for frame in _frames(SCENES[0]) if frame.source_frame < 4)
    assert [record.objects for record in track_frames(frames, tracker, [late])] == [[]] * 4
