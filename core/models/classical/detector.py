"""The built-in detector: people, faces, colour names and moving objects, with OpenCV alone."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from core.masks import Box
from core.masks.boxes import iou_matrix
from core.models.classical.motion import Grey, camera_motion
from core.models.classical.people import find_people
from core.models.classical.words import FACE, HUES, MOTION, PERSON, targets
from core.prompts import Detection, Trust
from core.video.frames import RGB

_MIN_SATURATION, _MIN_VALUE = 90, 60
_MIN_SHARE_OF_PICTURE = 0.0004
_MIN_FILLED = 0.2  # of a region's box
_CHANGED, _UNUSUAL = 20, 4.0  # grey levels, and times the median, from which a pixel has changed
_MOST_OF_PICTURE = 0.75
_NMS_IOU = 0.45
PEOPLE_THRESHOLD = 0.6  # from which on four of five boxes that are tracked are of people (`benchmarks.people`)
_UNSEEN_S, _UNSEEN_ROUNDS = 0.2, 2  # what is not found again soon was no person
_DRIFTED_IOU = 0.7  # where people stand, these boxes say better than masks that have been carried along
_CASCADES = Path(cv2.__file__).parent / "data"

_Found = list[tuple[Box, float | None]]
_Finder = Callable[[RGB], _Found]


class ClassicalDetector:
    """Implements `Detector`. Scores of people are what `people_threshold` is held against; nothing else has any."""

    def __init__(self, people_threshold: float = PEOPLE_THRESHOLD) -> None:
        self._threshold = people_threshold

    def start(self, prompt: str) -> "ClassicalDetectorSession":
        """See `Detector.start`."""
        sought = targets(prompt)
        of_people = Trust(self._threshold, _UNSEEN_S, _UNSEEN_ROUNDS, _DRIFTED_IOU)
        trust = {sought[PERSON]: of_people} if PERSON in sought else {}
        return ClassicalDetectorSession({label: _finder(target) for target, label in sought.items()}, trust)


class ClassicalDetectorSession:
    """Implements `DetectorSession`."""

    def __init__(self, finders: dict[str, _Finder], trust: dict[str, Trust]) -> None:
        self._finders = finders
        self._trust = trust

    def trust_of(self, label: str | None) -> Trust:
        """See `DetectorSession.trust_of`."""
        return self._trust.get(label or "", Trust())

    def detect(self, image: RGB) -> list[Detection]:
        """See `DetectorSession.detect`."""
        return [
            Detection(box, label, score) for label, find in self._finders.items() for box, score in _nms(find(image))
        ]


def _finder(target: str) -> _Finder:
    if target == PERSON:
        return find_people
    if target == FACE:
        return _Faces().find
    if target == MOTION:
        return _Moving().find
    return _Colour(target).find


class _Faces:
    """Boosted Haar cascade (Viola and Jones, CVPR 2001), frontal faces."""

    def __init__(self) -> None:
        self._cascade = cv2.CascadeClassifier(str(_CASCADES / "haarcascade_frontalface_default.xml"))

    def find(self, image: RGB) -> _Found:
        grey = cv2.equalizeHist(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY))
        boxes = self._cascade.detectMultiScale(grey, 1.1, 5)
        return [((float(x), float(y), float(x + w), float(y + h)), None) for x, y, w, h in boxes]


class _Colour:
    """Saturated regions of one hue."""

    def __init__(self, name: str) -> None:
        self._ranges = HUES[name]

    def find(self, image: RGB) -> _Found:
        hsv = cv2.cvtColor(cv2.GaussianBlur(image, (5, 5), 0), cv2.COLOR_RGB2HSV)
        mask = np.zeros(image.shape[:2], np.uint8)
        for low, high in self._ranges:
            lowest, highest = np.array([low, _MIN_SATURATION, _MIN_VALUE]), np.array([high, 255, 255])
            mask |= np.asarray(cv2.inRange(hsv, lowest, highest), np.uint8)
        return _regions(mask, round(max(image.shape[:2]) / 150))


class _Moving:
    """What differs from the last frame shown after the camera's motion is taken out."""

    def __init__(self) -> None:
        self._last: Grey | None = None

    def find(self, image: RGB) -> _Found:
        grey = np.asarray(cv2.GaussianBlur(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), (5, 5), 0), np.uint8)
        last, self._last = self._last, grey
        if last is None or last.shape != grey.shape:
            return []
        camera = camera_motion(last, grey, np.zeros(grey.shape, np.bool_))
        size = (grey.shape[1], grey.shape[0])
        steadied = cv2.warpPerspective(last, camera, size, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
        seen = cv2.warpPerspective(np.full_like(last, 255), camera, size, flags=cv2.WARP_INVERSE_MAP)
        difference, inside = cv2.absdiff(grey, steadied), seen == 255
        if not inside.any():
            return []
        least = max(_CHANGED, _UNUSUAL * float(np.median(difference[inside])))
        changed = ((difference > least) & inside).astype(np.uint8) * 255
        most = _MOST_OF_PICTURE * grey.size  # more than that moves where the camera's motion was not found
        return [
            (box, score)
            for box, score in _regions(changed, round(max(grey.shape) / 60))
            if (box[2] - box[0]) * (box[3] - box[1]) <= most
        ]


def _regions(mask: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], gap: int) -> _Found:
    """Boxes of the mask's components that fill them, pieces up to `gap` pixels apart joined; no scores."""
    mask = np.asarray(cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)), np.uint8)
    joined = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((2 * gap + 1, 2 * gap + 1), np.uint8))
    count, _, stats, _ = cv2.connectedComponentsWithStats(joined)
    return [
        ((float(x), float(y), float(x + width), float(y + height)), None)
        for x, y, width, height, area in stats[1:count].tolist()
        if area >= max(_MIN_SHARE_OF_PICTURE * mask.size, _MIN_FILLED * width * height)
    ]


def _nms(found: _Found) -> _Found:
    """Non-maximum suppression: of boxes that overlap much, the one with the best score stays; else the larger."""
    kept: _Found = []
    for box, score in sorted(found, key=_first):
        if not kept or iou_matrix([box], [other for other, _ in kept]).max() < _NMS_IOU:
            kept.append((box, score))
    return kept


def _first(one: tuple[Box, float | None]) -> tuple[float, float, Box]:
    box, score = one
    return -(score or 0.0), (box[0] - box[2]) * (box[3] - box[1]), box
