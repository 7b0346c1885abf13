"""Drawing masks, boxes and labels on a frame, each object always in the same colour."""

import colorsys
from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np

from core.masks import Mask
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


def draw_objects(image: RGB, objects: Iterable[Drawn]) -> RGB:
    """A copy of `image` [H, W, 3] with every mask blended in, its outline, box and label."""
    canvas = image.copy()
    line = max(1, round(max(image.shape[:2]) / 500))
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
        cv2.rectangle(canvas, (x0, y0), (x1 - 1, y1 - 1), colour(drawn.obj_id), line)
        _label(canvas, drawn, (x0, y0))
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


def _label(canvas: RGB, drawn: Drawn, corner: tuple[int, int]) -> None:
    scale = max(0.4, max(canvas.shape[:2]) / 1600)
    thickness = max(1, round(scale * 1.5))
    # OpenCV's fonts are ASCII only; JSONL and recordings keep the full text.
    text = drawn.text.encode("ascii", "replace").decode()
    (width, height), baseline = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, thickness)
    x = min(corner[0], max(0, canvas.shape[1] - width - 4))
    bottom = corner[1] if corner[1] > height + baseline + 4 else corner[1] + height + baseline + 4
    cv2.rectangle(canvas, (x, bottom - height - baseline - 4), (x + width + 4, bottom), colour(drawn.obj_id), -1)
    position = (x + 2, bottom - baseline - 2)
    cv2.putText(canvas, text, position, cv2.FONT_HERSHEY_SIMPLEX, scale, (0, 0, 0), thickness, cv2.LINE_AA)
