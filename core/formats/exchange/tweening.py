"""Boxes on key frames with straight lines between, as annotation tools keep tracks."""

from collections.abc import Iterator

import numpy as np

from core.formats.exchange.model import SeenObject
from core.masks import Box

TOLERANCE_PX = 0.5
_LONGEST = 256  # frames between key frames, so that looking back stays cheap

Key = tuple[int, SeenObject]
"""A source frame and what is seen there."""


class KeyFrames:
    """Finds the frames of a run that straight lines between key frames do not reproduce. Frames come ascending."""

    def __init__(self) -> None:
        self._since: list[Key] = []  # from the last key frame on

    def push(self, frame: int, seen: SeenObject) -> Iterator[Key]:
        """Add a frame; gives the key frames that are certain by now."""
        self._since.append((frame, seen))
        if len(self._since) == 1:
            yield self._since[0]
        elif len(self._since) > _LONGEST or not self._straight():
            self._since = self._since[-2:]
            yield self._since[0]

    def finish(self) -> Iterator[Key]:
        """The run is over: its last frame, where that is no key frame yet."""
        if len(self._since) > 1:
            yield self._since[-1]
        self._since = []

    def _straight(self) -> bool:
        frames = np.array([frame for frame, _ in self._since], np.float64)
        boxes = np.array([seen.box_xyxy for _, seen in self._since])
        share = ((frames - frames[0]) / (frames[-1] - frames[0]))[:, None]
        return bool((np.abs(boxes[0] + share * (boxes[-1] - boxes[0]) - boxes) <= TOLERANCE_PX).all())


def between(first: tuple[int, Box], last: tuple[int, Box], frame: int) -> Box:
    """The box on a frame between two key frames."""
    share = (frame - first[0]) / (last[0] - first[0])
    x0, y0, x1, y1 = (a + share * (b - a) for a, b in zip(first[1], last[1], strict=True))
    return x0, y0, x1, y1
