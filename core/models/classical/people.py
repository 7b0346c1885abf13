"""People by histograms of oriented gradients, each confirmed by classifiers that see the picture differently.

The first look is OpenCV's HOG with a linear SVM (Dalal and Triggs, CVPR 2005). Each box is looked at again: by the same
SVM in the mirrored picture, and by boosted cascades of whole bodies and of upper bodies (Kruppa et al., VS-PETS 2003).
A logistic regression makes one score of the four; `benchmarks.people_scores` prints how often each score is right.
"""

from dataclasses import astuple, dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from core.masks import Box
from core.masks.boxes import clip_box, iou_matrix
from core.video.frames import RGB

_WINDOW = (128, 64)
_HEIGHT = 720  # pictures are scaled to it, enlarged twofold at most: HOG finds nobody under 128 pixels
_AROUND = 0.35  # how much of a window's surroundings is looked at again, as a share of its height
_LOOKED_AT = 200  # pixels of height at which it is: tall people are as well seen in a smaller picture
_SAME = 0.6  # IoU from which a window of the mirrored picture is the same person
# The window was trained with a margin around the person; the box leaves it out: left, top, right, bottom.
_PERSON_IN_WINDOW = np.array([0.17, 0.06, 0.83, 0.94])
# Of `Evidence`, in its order, and the constant. Fitted on one half of the MOT15 clip and on 161 boxes of other videos.
_WEIGHTS, _CONSTANT = np.array([0.12, 1.96, 2.29, 1.31]), -3.5
_Grey = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Evidence:
    """What speaks for a person in a window.

    Attributes:
        margin: from the SVM's plane, 0 and up.
        mirrored_margin: likewise of the same window in the mirrored picture; 0 where nothing is found there.
        body: IoU with the best whole body that the cascade finds, 0..1.
        upper_body: 1.0 where the cascade finds an upper body of the right size in the upper half, else 0.0.
    """

    margin: float
    mirrored_margin: float
    body: float
    upper_body: float

    @property
    def score(self) -> float:
        """How likely this is a person, 0..1."""
        return float(1 / (1 + np.exp(-(_WEIGHTS @ np.array(astuple(self)) + _CONSTANT))))


def find_people(image: RGB) -> list[tuple[Box, float | None]]:
    """Boxes and scores of people in a picture [H, W, 3]; boxes may overlap."""
    return [(box, evidence.score) for box, evidence in people_evidence(image)]


def people_evidence(image: RGB) -> list[tuple[Box, Evidence]]:
    """Boxes in which HOG sees a person, and what speaks for each."""
    height, width = image.shape[:2]
    scale = min(2.0, _HEIGHT / height)
    if scale != 1:
        image = np.asarray(cv2.resize(image, None, fx=scale, fy=scale), np.uint8)
    if image.shape[0] < _WINDOW[0] or image.shape[1] < _WINDOW[1]:
        return []  # OpenCV reads past the end of pictures smaller than its window
    grey = np.asarray(cv2.equalizeHist(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)), np.uint8)
    found = []
    for window, margin in _windows(image, group=True):
        x0, y0, x1, y1 = window
        sides = np.array([x1 - x0, y1 - y0, x1 - x0, y1 - y0])
        left, top, right, bottom = ((np.array([x0, y0, x0, y0]) + sides * _PERSON_IN_WINDOW) / scale).tolist()
        box = clip_box((left, top, right, bottom), width, height)
        if box is not None:
            found.append((box, _look_again(image, grey, window, margin)))
    return found


def _windows(image: RGB, group: bool) -> list[tuple[Box, float]]:
    """Windows (xyxy) in which the SVM sees a person, with margins; those of one person `group`ed, or all of them."""
    boxes, margins = _hog().detectMultiScale(
        image, winStride=(8, 8), padding=(8, 8), scale=1.06, groupThreshold=2 if group else 0
    )
    return [
        ((float(x), float(y), float(x + w), float(y + h)), float(margin))
        for (x, y, w, h), margin in zip(boxes, np.ravel(margins), strict=True)
    ]


def _look_again(image: RGB, grey: _Grey, window: Box, margin: float) -> Evidence:
    around = _AROUND * (window[3] - window[1])
    height, width = grey.shape
    part = clip_box((window[0] - around, window[1] - around, window[2] + around, window[3] + around), width, height)
    assert part is not None, "a window lies in the picture"
    left, top, right, bottom = (round(v) for v in part)
    rows, columns = slice(top, bottom), slice(left, right)
    scale = min(1.0, _LOOKED_AT / (window[3] - window[1]))
    colour, shades = (
        np.asarray(cv2.resize(one[rows, columns], None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
        for one in (image, grey)
    )
    here = (
        scale * (window[0] - left), scale * (window[1] - top), scale * (window[2] - left), scale * (window[3] - top)
    )  # fmt: skip
    return Evidence(
        margin=margin,
        mirrored_margin=_mirrored_margin(np.ascontiguousarray(colour[:, ::-1]), here),
        body=_body(shades, here),
        upper_body=float(_has_upper_body(shades, here)),
    )


def _mirrored_margin(mirrored: RGB, window: Box) -> float:
    """The best margin of the same window in the mirrored picture; 0 where nothing is found there."""
    width = mirrored.shape[1]
    there = (width - window[2], window[1], width - window[0], window[3])
    if mirrored.shape[0] < _WINDOW[0] or width < _WINDOW[1]:
        return 0.0
    windows = _windows(mirrored, group=False)
    if not windows:
        return 0.0
    same = iou_matrix([there], [other for other, _ in windows])[0] > _SAME
    return max((margin for (_, margin), alike in zip(windows, same, strict=True) if alike), default=0.0)


def _body(grey: _Grey, window: Box) -> float:
    bodies = _seen_by("haarcascade_fullbody.xml", grey, 0.5 * (window[2] - window[0]), 1.5 * (window[2] - window[0]))
    return float(iou_matrix([window], bodies).max()) if bodies else 0.0


def _has_upper_body(grey: _Grey, window: Box) -> bool:
    x0, y0, x1, y1 = window
    return any(
        x0 < (u0 + u1) / 2 < x1 and y0 < (v0 + v1) / 2 < (y0 + y1) / 2
        for u0, v0, u1, v1 in _seen_by("haarcascade_upperbody.xml", grey, 0.5 * (x1 - x0), 1.5 * (x1 - x0))
    )


def _seen_by(name: str, grey: _Grey, least_width: float, most_width: float) -> list[Box]:
    """What a cascade finds, of a width within these bounds."""
    cascade = _cascade(name)
    width, height = cascade.getOriginalWindowSize()
    sizes = [(round(w), round(w * height / width)) for w in (least_width, most_width)]
    found = cascade.detectMultiScale(grey, 1.05, 1, minSize=sizes[0], maxSize=sizes[1])
    return [(float(x), float(y), float(x + w), float(y + h)) for x, y, w, h in found]


@cache
def _hog() -> cv2.HOGDescriptor:
    hog = cv2.HOGDescriptor()
    hog.setSVMDetector(np.asarray(cv2.HOGDescriptor.getDefaultPeopleDetector(), np.float32))
    return hog


@cache
def _cascade(name: str) -> cv2.CascadeClassifier:
    return cv2.CascadeClassifier(str(Path(cv2.__file__).parent / "data" / name))
