"""Any frame of a video, one after another, as somebody who looks at it wants them."""

from collections.abc import Iterator
from pathlib import Path
from threading import Lock

from core.errors import BadMedia
from core.video.frames import Frame
from core.video.source import open_video


class FrameReader:
    """Frames by their number. Going forward decodes on; going elsewhere seeks. Threads may share it.

    Args:
        path: a video file or a folder of images.

    Raises:
        BadMedia: it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self._lock = Lock()
        self._source = open_video(path)
        try:
            self.index = self._source.index()
        except BaseException:
            self._source.__exit__(None, None, None)
            raise
        self.info = self._source.info
        self._coming: Iterator[Frame] = iter(())
        self._next = -1
        self._closed = False

    def __len__(self) -> int:
        return len(self.index)

    def frame(self, number: int) -> Frame:
        """The frame of this number. Raises `BadMedia` where it cannot be decoded, `IndexError` where there is none."""
        if not 0 <= number < len(self):
            raise IndexError(f"the video has frames 0 to {len(self) - 1}")
        with self._lock:
            if self._closed:
                raise BadMedia("the video was closed meanwhile: look at it again")
            if number != self._next:
                self._coming = self._source.frames_at(self.index, range(number, len(self)))
            self._next = -1
            found = next(self._coming, None)
            if found is None:
                raise BadMedia(f"frame {number} cannot be decoded")
            self._next = number + 1
            return found

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._closed = True
            self._source.__exit__(None, None, None)
