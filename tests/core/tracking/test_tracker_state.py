"""A tracker goes on from its saved state as if nothing had happened."""

from pathlib import Path

import numpy as np
import pytest
from conftest import moving_square

from core.errors import UnsafeFile
from core.models.classical.detector import ClassicalDetector
from core.models.classical.segmenter import ClassicalSegmenter
from core.prompts import Prompt
from core.tracking.tracker import Tracker
from core.tracking.tracker_state import SESSION_FILE, TRACKER_FILE, read_appearance, restore_tracker, save_tracker


def _state(tracker: Tracker) -> list[tuple[object, ...]]:
    return [
        (
            one.obj_id,
            one.label,
            one.box,
            one.score,
            one.confirmed,
            one.weak,
            one.unseen,
            one.rounds,
            one.prompted,
            one.sound_s,
            one.met_s,
            one.place,
        )
        for one in tracker.live.values()
    ]


@pytest.mark.parametrize("cut", [1, 4, 9])
def test_a_restored_tracker_takes_the_same_steps(cut: int, tmp_path: Path) -> None:
    frames = list(moving_square(16))
    whole = Tracker(ClassicalSegmenter().start(), ClassicalDetector().start("red square"), 3)
    parts = Tracker(ClassicalSegmenter().start(), ClassicalDetector().start("red square"), 3)
    for number, image in enumerate(frames):
        if number == cut:
            save_tracker(parts, tmp_path)
            parts = restore_tracker(tmp_path, ClassicalSegmenter(), ClassicalDetector().start("red square"), 3)
        prompts = {5: ("ground", Prompt(box=(60, 5, 90, 20)))} if number == 2 else {}
        whole.step(image, number / 25, prompts)
        parts.step(image, number / 25, prompts)
        assert _state(parts) == _state(whole)
    assert {one.label for one in whole.live.values()} == {"red", "ground"}


def test_a_detector_that_remembers_the_last_frame_is_shown_it_again(tmp_path: Path) -> None:
    frames = list(moving_square(16))
    tracker = Tracker(ClassicalSegmenter().start(), ClassicalDetector().start("moving"), 1)
    tracker.step(frames[0], 0.0)
    save_tracker(tracker, tmp_path)
    before, after = ClassicalDetector().start("moving"), ClassicalDetector().start("moving")
    before.detect(frames[0])
    restore_tracker(tmp_path, ClassicalSegmenter(), after, 1)
    assert after.detect(frames[9]) == before.detect(frames[9]) != []


def test_looks_are_those_of_confirmed_objects(tmp_path: Path) -> None:
    tracker = Tracker(ClassicalSegmenter().start(), None)
    (image,) = moving_square(1)
    tracker.step(image, 0.0, {4: ("square", Prompt(box=(8, 22, 28, 42)))})
    save_tracker(tracker, tmp_path)
    ((obj_id, (label, appearance)),) = read_appearance(tmp_path).items()
    assert (obj_id, label) == (4, "square")
    assert np.array_equal(appearance, tracker.live[4].appearance)


@pytest.mark.parametrize("name", [SESSION_FILE, TRACKER_FILE])
def test_a_damaged_state_is_refused(name: str, tmp_path: Path) -> None:
    tracker = Tracker(ClassicalSegmenter().start(), None)
    for number, image in enumerate(moving_square(2)):
        tracker.step(image, number / 25)
    save_tracker(tracker, tmp_path)
    data = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(data[: len(data) // 2])
    with pytest.raises(UnsafeFile):
        restore_tracker(tmp_path, ClassicalSegmenter(), None, 1)
