"""Neutral results made by hypothesis, for tests of formats."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from hypothesis import strategies as st
from PIL import Image

from core.formats.exchange.model import SeenFrame, SeenObject, VideoResults
from core.masks import Mask, rle

HEIGHT, WIDTH = 24, 32
_labels = st.sampled_from(["person", "red ball", "猫 & <b>\"'", "a=b,c"])
_scores = st.none() | st.integers(0, 100).map(lambda n: n / 100)


@st.composite
def masks(draw: st.DrawFn) -> Mask:
    """Masks [24, 32] of one or two rectangles, sometimes with a hole, now and then with noise; never empty."""
    mask = np.zeros((HEIGHT, WIDTH), np.bool_)
    for _ in range(draw(st.integers(1, 2))):
        y, x = draw(st.integers(0, HEIGHT - 2)), draw(st.integers(0, WIDTH - 2))
        mask[y : y + draw(st.integers(1, 12)), x : x + draw(st.integers(1, 12))] = True
    if draw(st.booleans()):
        noise = np.random.default_rng(draw(st.integers(0, 99))).random(mask.shape) < 0.1
        mask ^= noise
    mask[draw(st.integers(0, HEIGHT - 1)), draw(st.integers(0, WIDTH - 1))] = True
    return mask


@st.composite
def seen_objects(draw: st.DrawFn, obj_id: int, label: str, boxes_only: bool) -> SeenObject:
    """An object: with a mask and its box, or with a box of whole pixels."""
    score = draw(_scores)
    if boxes_only:
        x0, y0 = draw(st.integers(0, WIDTH - 1)), draw(st.integers(0, HEIGHT - 1))
        box = (x0, y0, draw(st.integers(x0 + 1, WIDTH)), draw(st.integers(y0 + 1, HEIGHT)))
        return SeenObject(obj_id, label, box, score)
    mask = rle.encode(draw(masks()))
    return SeenObject(obj_id, label, rle.box_xyxy(mask), score, mask)


@st.composite
def videos(draw: st.DrawFn, name: str = "walk", boxes_only: bool = False) -> VideoResults:
    """A video of a few frames, looked at every first, second or third, of objects that come and go; one at least."""
    step, count = draw(st.integers(1, 3)), draw(st.integers(1, 5))
    labels = [draw(_labels) for _ in range(draw(st.integers(1, 4)))]
    frames: list[SeenFrame] = []
    for index in range(count):
        objects = [
            draw(seen_objects(obj_id, label, boxes_only))
            for obj_id, label in enumerate(labels, 1)
            if draw(st.booleans())
        ]
        if index == count - 1 and not any(frame.objects for frame in frames):
            objects = objects or [draw(seen_objects(1, labels[0], boxes_only))]
        frames.append(SeenFrame(step * index, step * index / 25.0, tuple(objects)))
    return video(frames, name, process_fps=25.0 / step)


def video(frames: Sequence[SeenFrame], name: str = "walk", process_fps: float | None = None) -> VideoResults:
    """A video of these frames, 25 a second, 20 in all."""
    return VideoResults(
        name, WIDTH, HEIGHT, 25.0, lambda: iter(frames), 20, f"/videos/{name}.mp4", "things", process_fps
    )


def square(x: int, y: int, side: int = 6) -> Mask:
    """A mask [24, 32] of a square."""
    mask = np.zeros((HEIGHT, WIDTH), np.bool_)
    mask[y : y + side, x : x + side] = True
    return mask


def seen_mask(obj_id: int, mask: Mask, label: str = "ball") -> SeenObject:
    """An object of this mask."""
    packed = rle.encode(mask)
    return SeenObject(obj_id, label, rle.box_xyxy(packed), rle=packed)


def write_picture(path: Path, width: int = WIDTH, height: int = HEIGHT, grey: int = 90) -> None:
    """A grey JPEG, whatever its ending."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (width, height), (grey,) * 3).save(path, format="JPEG")


def write_file(path: Path, text: str) -> None:
    """A text file, with its folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def sightings(videos: Sequence[VideoResults]) -> list[tuple[int, SeenObject]]:
    """All objects with their frames."""
    return [(frame.source_frame, one) for video in videos for frame in video.read() for one in frame.objects]
