"""Pictures of annotated frames for the report: a few, evenly over the video."""

from pathlib import Path

from core.long_video.annotating import Annotated
from core.masks import rle
from core.masks.draw import Drawn, draw_objects
from core.report.page import Picture
from core.text import clock
from core.video.index import FrameIndex
from core.video.source import open_video

_COUNT = 6


class Chosen:
    """Keeps the first annotated frame after each of a few evenly spaced places in a video of `frames` frames."""

    def __init__(self, frames: int) -> None:
        self._places = [(2 * turn + 1) * frames // (2 * _COUNT) for turn in range(_COUNT)]
        self.kept: dict[int, list[Annotated]] = {}

    def offer(self, frame: int, objects: list[Annotated]) -> None:
        """An annotated frame; ascending."""
        if self._places and frame >= self._places[0]:
            self._places = [place for place in self._places if place > frame]
            self.kept[frame] = objects


def draw_chosen(chosen: Chosen, video: Path, index: FrameIndex) -> list[Picture]:
    """The frames kept, with their objects drawn in. Raises `BadMedia` where the video cannot be read."""
    pictures = []
    for frame, objects in chosen.kept.items():
        side = max(max(one.rle["size"]) for one in objects)
        with open_video(video) as source:
            (shown,) = source.frames_at(index, [frame], side)
        drawn = [Drawn(one.number, rle.decode(one.rle), one.dense.assoc_name) for one in objects]
        caption = f"frame {frame}, {clock(shown.time_s)}: {len(objects)} object{'s' if len(objects) > 1 else ''}"
        pictures.append(Picture(draw_objects(shown.image, drawn), caption))
    return pictures
