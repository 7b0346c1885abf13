"""The built-in detector: people, faces, colour names and moving objects, with OpenCV alone."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from core.errors import RefusedInput
from core.masks import Box
from core.masks.boxes import clip_box, iou_matrix
from core.models.classical.motion import Grey, camera_motion
from core.models.phrases import phrases
from core.prompts import Detection
from core.video.frames import RGB

PEOPLE = frozenset({"person", "persons", "people", "pedestrian", "pedestrians", "human", "humans", "man", "woman"})
FACES = frozenset({"face", "faces"})
MOTION = frozenset({"moving", "motion"})
# Ranges of OpenCV's hue (0..180); red goes round the end.
HUES = {
    "red": ((0, 8), (171, 180)),
    "orange": ((9, 20),),
    "yellow": ((21, 34),),
    "green": ((35, 82),),
    "cyan": ((83, 97),),
    "blue": ((98, 128),),
    "purple": ((129, 150),),
    "pink": ((151, 170),),
}
ACCEPTED = (
    "person, face, moving object, or a colour name "
    f"({', '.join(HUES)}) with or without a noun, as in 'red ball'; several separated by '.'. "
    "Other words need a neural detector"
)
_MIN_SATURATION, _MIN_VALUE = 90, 60
_MIN_SHARE_OF_PICTURE = 0.0004
_NMS_IOU = 0.45
_CASCADES = Path(cv2.__file__).parent / "data"
_HOG_WINDOW = (128, 64)
_HOG_HEIGHT = 720  # pictures lower than this are enlarged up to twofold: HOG finds nobody under 128 pixels

_Finder = Callable[[RGB], list[tuple[Box, float]]]


class ClassicalDetector:
    """Implements `Detector`."""

    def start(self, prompt: str) -> "ClassicalDetectorSession":
        """See `Detector.start`."""
        if not phrases(prompt):
            raise RefusedInput.of("text_prompt", prompt, f"the built-in detector finds {ACCEPTED}")
        return ClassicalDetectorSession({phrase: _finder(phrase) for phrase in phrases(prompt)})


class ClassicalDetectorSession:
    """Implements `DetectorSession`."""

    def __init__(self, finders: dict[str, _Finder]) -> None:
        self._finders = finders

    def detect(self, image: RGB) -> list[Detection]:
        """See `DetectorSession.detect`."""
        return [
            Detection(box, phrase, score) for phrase, find in self._finders.items() for box, score in _nms(find(image))
        ]


def _finder(phrase: str) -> _Finder:
    words = set(phrase.split())
    if words & PEOPLE:
        return _People().find
    if words & FACES:
        return _Faces().find
    if words & MOTION:
        return _Moving().find
    colours = [name for name in HUES if name in words]
    if len(colours) == 1:
        return _Colour(colours[0]).find
    raise RefusedInput.of("text_prompt", phrase, f"the built-in detector finds {ACCEPTED}")


class _People:
    """Histograms of oriented gradients with a linear SVM (Dalal and Triggs, CVPR 2005)."""

    def __init__(self) -> None:
        self._hog = cv2.HOGDescriptor()
        self._hog.setSVMDetector(np.asarray(cv2.HOGDescriptor.getDefaultPeopleDetector(), np.float32))

    def find(self, image: RGB) -> list[tuple[Box, float]]:
        scale = min(2.0, _HOG_HEIGHT / image.shape[0])
        if scale != 1:
            image = np.asarray(cv2.resize(image, None, fx=scale, fy=scale), np.uint8)
        if image.shape[0] < _HOG_WINDOW[0] or image.shape[1] < _HOG_WINDOW[1]:
            return []  # OpenCV reads past the end of pictures smaller than its window
        boxes, weights = self._hog.detectMultiScale(image, winStride=(8, 8), padding=(8, 8), scale=1.06)
        found = []
        for (x, y, width, height), weight in zip(boxes, np.ravel(weights), strict=True):
            # The window was trained with a margin around the person; the box leaves it out.
            left, top = x + 0.17 * width, y + 0.06 * height
            right, bottom = x + 0.83 * width, y + 0.94 * height
            score = float(1 / (1 + np.exp(-5.0 * (weight - 0.85))))  # 0.3 where 8 of 10 are people
            found.append(((left / scale, top / scale, right / scale, bottom / scale), score))
        return _inside(found, image.shape[1] / scale, image.shape[0] / scale)


class _Faces:
    """Boosted Haar cascade (Viola and Jones, CVPR 2001), frontal faces."""

    def __init__(self) -> None:
        self._cascade = cv2.CascadeClassifier(str(_CASCADES / "haarcascade_frontalface_default.xml"))

    def find(self, image: RGB) -> list[tuple[Box, float]]:
        grey = cv2.equalizeHist(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY))
        boxes, _, weights = self._cascade.detectMultiScale3(grey, 1.1, 5, outputRejectLevels=True)
        return [
            ((float(x), float(y), float(x + w), float(y + h)), float(1 / (1 + np.exp(-0.5 * weight))))
            for (x, y, w, h), weight in zip(boxes, np.ravel(weights), strict=True)
        ]


class _Colour:
    """Saturated regions of one hue."""

    def __init__(self, name: str) -> None:
        self._ranges = HUES[name]

    def find(self, image: RGB) -> list[tuple[Box, float]]:
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

    def find(self, image: RGB) -> list[tuple[Box, float]]:
        grey = np.asarray(cv2.GaussianBlur(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), (5, 5), 0), np.uint8)
        last, self._last = self._last, grey
        if last is None or last.shape != grey.shape:
            return []
        camera = camera_motion(last, grey, np.zeros(grey.shape, np.bool_))
        size = (grey.shape[1], grey.shape[0])
        steadied = cv2.warpPerspective(last, camera, size, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
        seen = cv2.warpPerspective(np.full_like(last, 255), camera, size, flags=cv2.WARP_INVERSE_MAP)
        changed = ((cv2.absdiff(grey, steadied) > 20) & (seen == 255)).astype(np.uint8) * 255
        return _regions(changed, round(max(grey.shape) / 60))


def _regions(mask: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], gap: int) -> list[tuple[Box, float]]:
    """Boxes of the mask's components, pieces up to `gap` pixels apart joined; score: the share of the box filled."""
    mask = np.asarray(cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)), np.uint8)
    joined = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((2 * gap + 1, 2 * gap + 1), np.uint8))
    count, _, stats, _ = cv2.connectedComponentsWithStats(joined)
    found = []
    for x, y, width, height, area in stats[1:count].tolist():
        if area >= _MIN_SHARE_OF_PICTURE * mask.size:
            box = (float(x), float(y), float(x + width), float(y + height))
            found.append((box, area / (width * height)))
    return found


def _inside(found: list[tuple[Box, float]], width: float, height: float) -> list[tuple[Box, float]]:
    clipped = ((clip_box(box, round(width), round(height)), score) for box, score in found)
    return [(box, score) for box, score in clipped if box is not None]


def _nms(found: list[tuple[Box, float]]) -> list[tuple[Box, float]]:
    """Non-maximum suppression: of boxes that overlap much, the one with the best score stays."""
    ordered = sorted(found, key=lambda one: (-one[1], one[0]))
    kept: list[tuple[Box, float]] = []
    for box, score in ordered:
        if not kept or iou_matrix([box], [other for other, _ in kept]).max() < _NMS_IOU:
            kept.append((box, score))
    return kept
