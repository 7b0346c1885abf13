"""What a source of frames gives: a description, then frames in presentation order."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
import numpy.typing as npt

from core.video.index import FrameIndex
from core.video.sampling import WHOLE, Part

RGB = npt.NDArray[np.uint8]
"""Colour image [H, W, 3], uint8, red first."""


@dataclass(frozen=True)
class VideoInfo:
    """A video as it is shown (rotation applied): size in pixels, mean rate, length where the file says it."""

    width: int
    height: int
    fps: float
    declared_frames: int | None = None
    duration_s: float | None = None


@dataclass(frozen=True, eq=False)
class Frame:
    """One decoded frame.

    Attributes:
        image: RGB uint8 [H, W, 3].
        source_frame: 0-based index in presentation order in the source.
        time_s: presentation time from the start of the stream.
        begins_shot: it shows another shot than the frame before it, see `core.video.shots`.
    """

    image: RGB
    source_frame: int
    time_s: float
    begins_shot: bool = False


class FrameSource(Protocol):
    """A video file or a folder of images."""

    info: VideoInfo

    @property
    def frames_read(self) -> int:
        """Frames of the source seen so far; after `frames` is exhausted, all there are."""
        ...

    def frames(
        self,
        fps: float | None = None,
        max_side: int | None = None,
        also: Collection[int] = (),
        part: Part = WHOLE,
    ) -> Iterator[Frame]:
        """Decode in presentation order, once.

        Args:
            fps: keep this many frames a second, picked by presentation time; None keeps all.
            max_side: scale down while decoding so that no side is longer, in pixels.
            also: source frames that are kept whatever `fps` is.
            part: frames shown outside these times are left out.
        """
        ...

    def index(self) -> FrameIndex:
        """Where each frame is. Read from the start: of a source just opened."""
        ...

    def frames_at(self, index: FrameIndex, wanted: Sequence[int], max_side: int | None = None) -> Iterator[Frame]:
        """Only the frames `wanted`, ascending, equal to what `frames` gives. May be called again and again.

        Args:
            index: of this source.
            wanted: source frames, ascending, each once.
            max_side: as in `frames`.
        """
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *exc: object) -> None: ...
