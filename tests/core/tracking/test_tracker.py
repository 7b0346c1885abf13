"""Who is recorded, waited for and given up, with a segmenter whose masks are written down beforehand."""

from pathlib import Path

import numpy as np
import pytest

from core.masks import Mask
from core.prompts import Detection, ObjectPrompt, Prompt, TrackedMask, Trust
from core.tracking.loop import track_frames
from core.tracking.tracker import Tracker
from core.video.frames import RGB, Frame

IMAGE = np.full((40, 60, 3), 128, np.uint8)
SEEN = np.zeros((40, 60), np.bool_)
SEEN[10:30, 10:30] = True
GONE = np.zeros_like(SEEN)


class _Scripted:
    """Object 1 is in sight on the frames of `seen`, with the score given there."""

    def __init__(self, patience_s: float, seen: dict[int, float]) -> None:
        self.patience_s = patience_s
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

    def cut(self) -> None:
        pass

    def save(self, path: Path) -> None:
        raise NotImplementedError


class _Once:
    """Detects the object on the first two frames, so that it counts; never again."""

    def trust_of(self, label: str | None) -> Trust:
        return Trust()

    def __init__(self) -> None:
        self._frames = 0

    def detect(self, image: RGB) -> list[Detection]:
        self._frames += 1
        return [Detection((10.0, 10.0, 30.0, 30.0), "thing", 0.9)] if self._frames <= 2 else []


def _recorded(segmenter: _Scripted, frames: int, every: int = 1) -> list[int]:
    tracker = Tracker(segmenter, _Once(), every)
    recorded = []
    for frame in range(frames):
        tracker.step(IMAGE, frame / 25)
        if [track.obj_id for track in tracker.visible()] == [1]:
            recorded.append(frame)
    return recorded


def test_a_segmenter_that_remembers_finds_its_object_again() -> None:
    seen = dict.fromkeys([0, 1, 2, *range(20, 25)], 0.9)
    segmenter = _Scripted(patience_s=4, seen=seen)
    assert _recorded(segmenter, 25) == sorted(seen)
    assert segmenter.dropped == []


@pytest.mark.parametrize(("patience_s", "given_up_after"), [(0.0, 3), (0.4, 10)])
def test_beyond_its_patience_an_object_is_given_up(patience_s: float, given_up_after: int) -> None:
    segmenter = _Scripted(patience_s, dict.fromkeys([0, 1, 2, *range(20, 25)], 0.9))
    tracker = Tracker(segmenter, _Once())
    for frame in range(25):
        tracker.step(IMAGE, frame / 25)
        assert bool(segmenter.dropped) == (frame >= 2 + given_up_after), frame
    assert tracker.visible() == []


def test_a_mask_in_doubt_for_long_is_not_recorded_though_it_is_waited_for() -> None:
    doubtful = dict.fromkeys(range(3, 12), 0.1)
    segmenter = _Scripted(patience_s=4, seen=dict.fromkeys(range(20), 0.9) | doubtful)
    assert _recorded(segmenter, 16) == [0, 1, 2, 3, 4, 12, 13, 14, 15]
    assert segmenter.dropped == []


@pytest.mark.parametrize(("fps", "hidden_from"), [(10, 4), (25, 5), (60, 8)])
def test_doubt_counts_in_seconds(fps: int, hidden_from: int) -> None:
    seen = dict.fromkeys(range(3), 0.9) | dict.fromkeys(range(3, 40), 0.1)
    tracker = Tracker(_Scripted(patience_s=9, seen=seen), _Once())
    visible = []
    for frame in range(20):
        tracker.step(IMAGE, frame / fps)
        visible.append(bool(tracker.visible()))
    assert visible == [frame < hidden_from for frame in range(20)]


class _TwoPlaces:
    """Object masks by id and frame, wherever they are written down; a prompt starts what lies in its box."""

    patience_s = 5.0

    def __init__(self, hidden: dict[int, range]) -> None:
        self._hidden = hidden
        self._boxes: dict[int, tuple[float, float, float, float]] = {}
        self._frame = -1

    def advance(self, image: RGB, upcoming: RGB | None = None) -> dict[int, TrackedMask]:
        self._frame += 1
        return {obj_id: self._seen(obj_id) for obj_id in self._boxes}

    def _seen(self, obj_id: int) -> TrackedMask:
        mask = np.zeros((40, 200), np.bool_)
        if self._frame not in self._hidden.get(obj_id, ()):
            x0, y0, x1, y1 = (int(edge) for edge in self._boxes[obj_id])
            mask[y0:y1, x0:x1] = True
        return TrackedMask(mask, 0.9 if mask.any() else 0.0)

    def add(self, obj_id: int, prompt: Prompt) -> TrackedMask:
        assert prompt.box is not None
        self._boxes[obj_id] = prompt.box
        return self._seen(obj_id)

    def drop(self, obj_id: int) -> None:
        del self._boxes[obj_id]

    def cut(self) -> None:
        pass

    def save(self, path: Path) -> None:
        raise NotImplementedError


NEAR, FAR = (10.0, 10.0, 30.0, 30.0), (160.0, 10.0, 180.0, 30.0)


class _Newcomer:
    """Detects what is prompted, and from a frame on a second thing of the same colour."""

    def trust_of(self, label: str | None) -> Trust:
        return Trust()

    def __init__(self, at: tuple[float, float, float, float], first: int, known: bool) -> None:
        self._newcomer, self._first, self._known, self._frame = at, first, known, -1

    def detect(self, image: RGB) -> list[Detection]:
        self._frame += 1
        old = [Detection(NEAR, "cup", 0.9)] if self._known and self._frame < 10 else []
        return old + ([Detection(self._newcomer, "cup", 0.9)] if self._frame >= self._first else [])


def _identities(hidden: range, newcomer: _Newcomer, prompted: bool, frames: int = 60) -> dict[int, int]:
    """Who turned out to be whom."""
    red = np.full((40, 200, 3), (200, 20, 20), np.uint8)
    tracker = Tracker(_TwoPlaces({1: hidden}), newcomer)
    for frame in range(frames):
        first = {1: ("cup", Prompt(box=NEAR))} if prompted and frame == 0 else None
        tracker.step(red, frame / 25, first)
    return tracker.same_as


def test_an_object_hidden_for_a_frame_keeps_its_id() -> None:
    assert _identities(range(12, 14), _Newcomer(FAR, 12, known=True), prompted=False) == {}


def test_a_prompted_object_keeps_its_id_however_long_it_is_hidden() -> None:
    assert _identities(range(5, 60), _Newcomer(NEAR, 40, known=False), prompted=True) == {}
    assert _identities(range(5, 60), _Newcomer(FAR, 6, known=False), prompted=True) == {}


def test_a_newcomer_too_far_away_for_the_time_is_another() -> None:
    assert _identities(range(12, 100), _Newcomer(FAR, 22, known=True), prompted=False) == {}


def test_what_comes_back_where_it_went_is_the_same() -> None:
    assert _identities(range(12, 100), _Newcomer(NEAR, 30, known=True), prompted=False) == {2: 1}
    assert _identities(range(12, 500), _Newcomer(FAR, 100, known=True), prompted=False, frames=140) == {2: 1}


class _Returning:
    """Object 1 is gone on frames 3 to 6; from then on all objects have its mask. All are sure."""

    patience_s = 5.0

    def __init__(self) -> None:
        self._frame = -1
        self._objects: list[int] = []

    def advance(self, image: RGB, upcoming: RGB | None = None) -> dict[int, TrackedMask]:
        self._frame += 1
        gone = range(3, 7)
        return {
            obj_id: TrackedMask(GONE, 0.0) if obj_id == 1 and self._frame in gone else TrackedMask(SEEN, 0.9)
            for obj_id in self._objects
        }

    def add(self, obj_id: int, prompt: Prompt) -> TrackedMask:
        self._objects.append(obj_id)
        return TrackedMask(SEEN, 0.9)

    def drop(self, obj_id: int) -> None:
        self._objects.remove(obj_id)

    def cut(self) -> None:
        pass

    def save(self, path: Path) -> None:
        raise NotImplementedError


class _Labelled:
    """Detects the object on each frame, under the label of that frame."""

    def __init__(self, *labels: str) -> None:
        self._labels = list(labels)

    def trust_of(self, label: str | None) -> Trust:
        return Trust()

    def detect(self, image: RGB) -> list[Detection]:
        label = self._labels.pop(0) if self._labels else ""
        return [Detection((10.0, 10.0, 30.0, 30.0), label, 0.9)] if label else []


def _ids_by_frame(detector: _Labelled, prompts: list[ObjectPrompt], frames: int) -> list[set[int]]:
    shown = (Frame(noisy(index), index, index / 10) for index in range(frames))
    records = track_frames(shown, Tracker(_Returning(), detector), prompts)
    return [{one.obj_id for one in record.objects} for record in records]


def noisy(index: int) -> RGB:
    """Of other colours before and after object 1 was gone, so that nothing is known again by its looks."""
    return np.full((40, 60, 3), 30 if index < 3 else 220, np.uint8)


def test_an_object_begun_while_another_was_lost_for_a_moment_is_that_object() -> None:
    detector = _Labelled("dog", "dog", "dog", "", "dog", "dog", *["dog"] * 8)
    found = _ids_by_frame(detector, [], 14)
    assert found == [{1}] * 3 + [set()] + [{1}] * 10


def test_objects_of_other_labels_or_prompted_by_hand_stay_themselves() -> None:
    other = _Labelled("dog", "dog", "dog", "", "cat", "cat", *["cat"] * 8)
    assert _ids_by_frame(other, [], 14)[-1] == {1, 2}
    prompts = [ObjectPrompt(one, 0, "dog", Prompt(box=(10, 10, 30, 30))) for one in (1, 2)]
    assert _ids_by_frame(_Labelled(), prompts, 14)[-1] == {1, 2}


class _Still:
    """Every object's mask is its prompt's box; counts the cuts."""

    patience_s = 0.0

    def __init__(self) -> None:
        self.boxes: dict[int, tuple[float, float, float, float]] = {}
        self.cuts = 0

    def _mask(self, obj_id: int) -> TrackedMask:
        mask = np.zeros((40, 60), np.bool_)
        x0, y0, x1, y1 = (int(edge) for edge in self.boxes[obj_id])
        mask[y0:y1, x0:x1] = True
        return TrackedMask(mask, 0.9)

    def advance(self, image: RGB, upcoming: RGB | None = None) -> dict[int, TrackedMask]:
        return {obj_id: self._mask(obj_id) for obj_id in self.boxes}

    def add(self, obj_id: int, prompt: Prompt) -> TrackedMask:
        assert prompt.box is not None
        self.boxes[obj_id] = prompt.box
        return self._mask(obj_id)

    def drop(self, obj_id: int) -> None:
        self.boxes.pop(obj_id, None)

    def cut(self) -> None:
        self.cuts += 1

    def save(self, path: Path) -> None:
        raise NotImplementedError


class _InShots:
    """Detects one thing, at another place after each cut, as long as it is there."""

    def __init__(self, places: list[tuple[float, float, float, float]], frames_each: int) -> None:
        self._places, self._each, self._frame = places, frames_each, -1

    def trust_of(self, label: str | None) -> Trust:
        return Trust()

    def detect(self, image: RGB) -> list[Detection]:
        self._frame += 1
        return [Detection(self._places[self._frame // self._each], "thing", 0.9)]


def _through_cuts(colours: list[tuple[int, int, int]]) -> tuple[list[list[int]], Tracker, _Still]:
    """Ids by frame of a thing that has another place and colour in each shot of five frames."""
    places = [(5.0, 5.0, 20.0, 20.0), (40.0, 20.0, 55.0, 35.0), (5.0, 20.0, 20.0, 35.0)][: len(colours)]
    frames = []
    for shot, (colour, (x0, y0, x1, y1)) in enumerate(zip(colours, places, strict=True)):
        image = IMAGE.copy()
        image[int(y0) : int(y1), int(x0) : int(x1)] = colour
        frames += [Frame(image, 5 * shot + index, (5 * shot + index) / 10, index == 0 < shot) for index in range(5)]
    segmenter = _Still()
    tracker = Tracker(segmenter, _InShots(places, 5))
    return [[one.obj_id for one in record.objects] for record in track_frames(frames, tracker)], tracker, segmenter


def test_at_a_cut_objects_end_and_are_known_again_in_another_shot_by_what_they_look_like() -> None:
    red, blue = (210, 30, 30), (30, 30, 210)
    ids, tracker, segmenter = _through_cuts([red, blue, red])
    assert ids == [[1]] * 5 + [[2]] * 5 + [[1]] * 5
    assert segmenter.cuts == 2
    assert [likeness < 0.85 for likeness in tracker.likeness.values()] == [True]  # surer in one shot


def test_what_looks_otherwise_after_a_cut_is_another_object() -> None:
    ids, _, _ = _through_cuts([(210, 30, 30), (30, 210, 30)])
    assert ids == [[1]] * 5 + [[2]] * 5


def test_objects_prompted_by_hand_outlive_a_cut_and_are_left_to_the_segmenter() -> None:
    segmenter = _Still()
    tracker = Tracker(segmenter, None)
    frames = [Frame(IMAGE, index, index / 10, index == 3) for index in range(6)]
    prompts = [ObjectPrompt(7, 0, None, Prompt(box=(5.0, 5.0, 20.0, 20.0)))]
    assert [[one.obj_id for one in record.objects] for record in track_frames(frames, tracker, prompts)] == [[7]] * 6
    assert segmenter.cuts == 1


def test_a_prompted_object_in_doubt_for_a_second_is_hidden_until_it_is_beyond_doubt() -> None:
    seen = dict.fromkeys(range(3), 0.9) | dict.fromkeys(range(3, 20), 0.1) | dict.fromkeys(range(20, 24), 0.9)
    tracker = Tracker(_Scripted(patience_s=0.0, seen=seen), None)
    frames = [Frame(IMAGE, index, index / 10) for index in range(24)]
    prompts = [ObjectPrompt(1, 0, None, Prompt(box=(10.0, 10.0, 30.0, 30.0)))]
    recorded = [record.source_frame for record in track_frames(frames, tracker, prompts) if record.objects]
    assert recorded == [*range(12), *range(20, 24)]
