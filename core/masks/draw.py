"""Drawing masks, boxes and labels on a frame, each object always in the same colour."""

import colorsys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from core.masks import Box, Mask
from core.masks.boxes import mask_box
from core.video.frames import RGB

_BLEND = 0.6
_GOLDEN_RATIO = 0.618033988749895


@dataclass(frozen=True, eq=False)
class Drawn:
    """One object to draw: its id picks the colour, its text stands above the box."""

    obj_id: int
    mask: Mask
    text: str


def colour(obj_id: int) -> tuple[int, int, int]:
    """RGB of an object: hues a golden ratio apart, so that ids near each other look different."""
    r, g, b = colorsys.hsv_to_rgb((0.58 + obj_id * _GOLDEN_RATIO) % 1.0, 0.75, 1.0)
    return round(255 * r), round(255 * g), round(255 * b)


@dataclass(frozen=True)
class Style:
    """How objects are drawn: with labels, with boxes; width of lines in pixels, None: by the picture's size."""

    labels: bool = True
    boxes: bool = True
    line_px: int | None = None


def draw_objects(image: RGB, objects: Iterable[Drawn], style: Style = Style()) -> RGB:
    """A copy of `image` [H, W, 3] with each mask blended in, its outline, box and label; labels avoid each other."""
    canvas = image.copy()
    line = style.line_px or max(1, round(max(image.shape[:2]) / 500))
    boxes: list[tuple[Drawn, Box]] = []
    for drawn in objects:
        box = mask_box(drawn.mask)
        if box is None:
            continue
        x0, y0, x1, y1 = (int(v) for v in box)
        inside = drawn.mask[y0:y1, x0:x1]
        region = canvas[y0:y1, x0:x1]
        tint = np.array(colour(drawn.obj_id), np.float32)
        region[inside] = ((1 - _BLEND) * region[inside] + _BLEND * tint).astype(np.uint8)
        outlines, _ = cv2.findContours(inside.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        cv2.drawContours(region, outlines, -1, (255, 255, 255), line)
        boxes.append((drawn, box))
    for drawn, box in boxes if style.boxes else ():
        x0, y0, x1, y1 = (int(v) for v in box)
        cv2.rectangle(canvas, (x0, y0), (x1 - 1, y1 - 1), colour(drawn.obj_id), line)
    if style.labels:
        _write_labels(canvas, boxes)
    return canvas


def write_word(canvas: RGB, word: str) -> None:
    """Write an ASCII word into the lower left corner of a picture [H, W, 3], white on black."""
    scale = max(0.5, max(canvas.shape[:2]) / 1000)
    (width, height), baseline = cv2.getTextSize(word, cv2.FONT_HERSHEY_SIMPLEX, scale, 1)
    bottom = canvas.shape[0]
    cv2.rectangle(canvas, (0, bottom - height - baseline - 6), (width + 8, bottom), (0, 0, 0), -1)
    cv2.putText(
        canvas, word, (4, bottom - baseline - 2), cv2.FONT_HERSHEY_SIMPLEX, scale, (255, 255, 255), 1, cv2.LINE_AA
    )


def _write_labels(canvas: RGB, boxes: Sequence[tuple[Drawn, Box]]) -> None:
    scale = max(0.4, max(canvas.shape[:2]) / 1600)
    thickness = max(1, round(scale * 1.5))
    taken: list[Box] = []
    for drawn, box in boxes:
        # OpenCV's fonts are ASCII only; JSONL and recordings keep the full text.
        text = drawn.text.encode("ascii", "replace").decode()
        (width, height), baseline = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, thickness)
        place = free_place(box, (width + 4, height + baseline + 4), taken, (canvas.shape[1], canvas.shape[0]))
        taken.append(place)
        left, top, right, bottom = (int(v) for v in place)
        cv2.rectangle(canvas, (left, top), (right, bottom), colour(drawn.obj_id), -1)
        position = (left + 2, bottom - baseline - 2)
        cv2.putText(canvas, text, position, cv2.FONT_HERSHEY_SIMPLEX, scale, (0, 0, 0), thickness, cv2.LINE_AA)


def free_place(box: Box, size: tuple[int, int], taken: Sequence[Box], picture: tuple[int, int]) -> Box:
    """Where a label goes: over its box, else inside, under or beside it, where it hides the least of labels before it.

    Args:
        box: what the label is of.
        size: width and height of the label, in pixels.
        taken: places of labels that are there.
        picture: width and height of the picture; the label stays inside, where it fits at all.
    """
    (x0, y0, x1, y1), (width, height) = box, size
    corners = (
        (x0, y0 - height), (x1 - width, y0 - height), (x0, y0), (x0, y1), (x1 - width, y1), (x0, y1 - height),
        (x1, y0), (x0 - width, y0),
    )  # fmt: skip
    places = [_within(corner, size, picture) for corner in corners]
    return min(places, key=lambda place: sum(_overlap(place, other) for other in taken))


def _within(corner: tuple[float, float], size: tuple[int, int], picture: tuple[int, int]) -> Box:
    left, top = (
        float(min(max(0, start), max(0, whole - length - 1)))
        for start, length, whole in zip(corner, size, picture, strict=True)
    )
    return left, top, left + size[0], top + size[1]


def _overlap(first: Box, second: Box) -> float:
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    return max(0.0, width) * max(0.0, height)
