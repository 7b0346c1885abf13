"""The frames on which results are furthest from the truth, as pictures beside it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from core.errors import BadMedia
from core.evaluation.evaluate import VideoScore
from core.evaluation.identity import Overlaps
from core.formats.exchange.model import OBJECT, SeenFrame, SeenObject
from core.formats.exchange.sources import Sources
from core.masks import Mask, rle
from core.masks.draw import Drawn, draw_objects, write_word
from core.report.page import Picture
from core.text import clock
from core.video.frames import RGB
from core.video.source import open_video

_UNMATCHED = 1000  # colours of what is nobody's
_GAP = 4  # pixels between the two pictures
_GREY = 96
_FINE = 0.95


@dataclass(frozen=True)
class BadFrame:
    """A frame and how good it is: 1 is perfect."""

    video: VideoScore
    place: int
    quality: float


def worst_frames(videos: Sequence[VideoScore], most: int) -> list[BadFrame]:
    """The worst frames, no two of one video within a tenth of it; perfect ones are left out."""
    frames = sorted(
        (
            BadFrame(video, place, frame_quality(overlap, video.matched))
            for video in videos
            for place, overlap in enumerate(video.frames)
        ),
        key=lambda one: one.quality,
    )
    chosen: list[BadFrame] = []
    for frame in frames:
        apart = max(1, len(frame.video.frames) // 10)
        near = any(other.video is frame.video and abs(other.place - frame.place) < apart for other in chosen)
        if frame.quality < _FINE and not near:
            chosen.append(frame)
        if len(chosen) == most:
            break
    return chosen


def frame_quality(overlap: Overlaps, matched: Mapping[int, int]) -> float:
    """Mean IoU over what is there, in the truth or in the results: what is missing or too much counts as 0.

    Where ids do not hold (`matched` is empty), each object counts with whatever overlaps it best.
    """
    hits = [
        float(overlap.iou[row, overlap.found.index(matched[one])])
        for row, one in enumerate(overlap.truth)
        if matched.get(one) in overlap.found
    ]
    if not matched and overlap.iou.size:
        hits = [float(row.max()) for row in overlap.iou]
    there = len(overlap.truth) + len(overlap.found) - len(hits)
    return sum(hits) / there if there else 1.0


def draw_frame(bad: BadFrame, sources: Sources) -> Picture:
    """The truth and the results, one above the other, objects that belong together in one colour.

    On grey where the video cannot be read.
    """
    score = bad.video
    truth, found = next(both for place, both in enumerate(score.judged.frames()) if place == bad.place)
    image = _image(score, truth.source_frame, sources)
    mine = {found_id: truth_id for truth_id, found_id in score.matched.items()}
    above = draw_objects(image, [_drawn(one, one.obj_id, image) for one in truth.objects])
    below = draw_objects(
        image, [_drawn(one, mine.get(one.obj_id, _UNMATCHED + one.obj_id), image) for one in found.objects]
    )
    gap = np.full((_GAP, image.shape[1], 3), 255, np.uint8)
    for half, word in ((above, "truth"), (below, "results")):
        write_word(half, word)
    return Picture(np.concatenate([above, gap, below]), _caption(bad, truth))


def _caption(bad: BadFrame, frame: SeenFrame) -> str:
    name = bad.video.judged.name
    return f"{name}: frame {frame.source_frame}, {clock(frame.time_s)}: IoU {bad.quality:.2f}"


def _image(score: VideoScore, source_frame: int, sources: Sources) -> RGB:
    found = score.judged.found
    path = sources.find(found.name, found.path) or sources.find(score.judged.truth.name, score.judged.truth.path)
    grey = np.full((found.height, found.width, 3), _GREY, np.uint8)
    if path is None:
        return grey
    try:
        with open_video(path) as source:
            index = source.index()
        with open_video(path) as source:
            (frame,) = source.frames_at(index, [source_frame])
    except (BadMedia, OSError, ValueError, IndexError):  # another video by now
        return grey
    return frame.image if frame.image.shape == grey.shape else grey


def _drawn(one: SeenObject, number: int, image: RGB) -> Drawn:
    label = "" if one.label == OBJECT else f" {one.label}"
    return Drawn(number, _mask(one, image.shape[:2]), f"#{one.obj_id}{label}")


def _mask(one: SeenObject, shape: tuple[int, ...]) -> Mask:
    """Its mask, or a frame along its box."""
    if one.rle is not None:
        return rle.decode(one.rle)
    canvas = np.zeros(shape, np.uint8)
    x0, y0, x1, y1 = (round(v) for v in one.box_xyxy)
    cv2.rectangle(canvas, (x0, y0), (x1 - 1, y1 - 1), 1, 2)
    return np.asarray(canvas.view(np.bool_), np.bool_)
