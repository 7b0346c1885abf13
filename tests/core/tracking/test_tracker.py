"""Who is recorded, waited for and given up, with a segmenter whose masks are written down beforehand."""

from pathlib import Path

import numpy as np
import pytest

from core.masks import Mask
from core.models.roles import Detection, Prompt, TrackedMask
from core.tracking.tracker import Tracker
from core.video.frames import RGB

IMAGE = np.full((40, 60, 3), 128, np.uint8)
SEEN = np.zeros((40, 60), np.bool_)
SEEN[10:30, 10:30] = True
GONE = np.zeros_like(SEEN)


class _Scripted:
    """Object 1 is in sight on the frames of `seen`, with the score given there."""

    def __init__(self, patience: int, seen: dict[int, float]) -> None:
        self.patience = patience
        self.dropped: list[int] = []
        self._seen = seen
        self._frame = -1
        self._objects: list[int] = []

    def advance(self, image: RGB, upcoming: RGB | None = None) -> dict[int, TrackedMask]:
        self._frame += 1
        mask: Mask = SEEN if self._frame in self._seen else GONE
        return {obj_id: TrackedMask(mask, self._seen.get(self._frame, 0.0)) for obj_id in self._objects}

    def add(self, obj_id: int, prompt: Prompt) -> TrackedMask:
        self._objects.append(obj_id)
        return TrackedMask(SEEN, 0.9)

    def drop(self, obj_id: int) -> None:
        self._objects.remove(obj_id)
        self.dropped.append(obj_id)

    def save(self, path: Path) -> None:
        raise NotImplementedError


class _Once:
    """Detects the object on the first two frames, so that it counts; never again."""

    def __init__(self) -> None:
        self._frames = 0

    def detect(self, image: RGB) -> list[Detection]:
        self._frames += 1
        return [Detection((10.0, 10.0, 30.0, 30.0), "thing", 0.9)] if self._frames <= 2 else []


def _recorded(segmenter: _Scripted, frames: int, every: int = 1) -> list[int]:
    tracker = Tracker(segmenter, _Once(), every)
    recorded = []
    for frame in range(frames):
        tracker.step(IMAGE)
        if [track.obj_id for track in tracker.visible()] == [1]:
            recorded.append(frame)
    return recorded


def test_a_segmenter_that_remembers_finds_its_object_again() -> None:
    seen = dict.fromkeys([0, 1, 2, *range(20, 25)], 0.9)
    segmenter = _Scripted(patience=100, seen=seen)
    assert _recorded(segmenter, 25) == sorted(seen)
    assert segmenter.dropped == []


@pytest.mark.parametrize(("patience", "given_up_after"), [(0, 3), (10, 10)])
def test_beyond_its_patience_an_object_is_given_up(patience: int, given_up_after: int) -> None:
    segmenter = _Scripted(patience, dict.fromkeys([0, 1, 2, *range(20, 25)], 0.9))
    tracker = Tracker(segmenter, _Once())
    for frame in range(25):
        tracker.step(IMAGE)
        assert bool(segmenter.dropped) == (frame >= 2 + given_up_after), frame
    assert tracker.visible() == []


def test_a_mask_in_doubt_for_long_is_not_recorded_though_it_is_waited_for() -> None:
    doubtful = dict.fromkeys(range(3, 12), 0.1)
    segmenter = _Scripted(patience=100, seen=dict.fromkeys(range(20), 0.9) | doubtful)
    assert _recorded(segmenter, 16) == [0, 1, 2, 3, 4, 12, 13, 14, 15]
    assert segmenter.dropped == []
