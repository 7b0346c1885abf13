"""Pictures of annotated frames for the report: a few, evenly over the video."""

from pathlib import Path

from core.long_video.merge import Identity, Sighting
from core.long_video.names import Names
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
        self.kept: dict[int, dict[Identity, Sighting]] = {}

    def offer(self, frame: int, best: dict[Identity, Sighting]) -> None:
        """An annotated frame; ascending."""
        if self._places and frame >= self._places[0]:
            self._places = [place for place in self._places if place > frame]
            self.kept[frame] = best


def draw_chosen(chosen: Chosen, video: Path, index: FrameIndex, names: Names) -> list[Picture]:
    """The frames kept, with their objects drawn in. Raises `BadMedia` where the video cannot be read."""
    pictures = []
    for frame, best in chosen.kept.items():
        side = max(max(seen.found.rle["size"]) for seen in best.values())
        with open_video(video) as source:
            (shown,) = source.frames_at(index, [frame], side)
        drawn = [
            Drawn(names.number(identity), rle.decode(seen.found.rle), names.named(identity)[1])
            for identity, seen in best.items()
        ]
        caption = f"frame {frame}, {clock(shown.time_s)}: {len(best)} object{'s' if len(best) > 1 else ''}"
        pictures.append(Picture(draw_objects(shown.image, drawn), caption))
    return pictures
