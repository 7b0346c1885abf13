"""A video on the page: its frames as pictures, and where each is in time."""

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from core.video.frames import Frame, VideoInfo
from core.video.reader import FrameReader
from core.video.source import open_video

_QUALITY = 88
_THUMBNAIL = 160  # pixels of the longer side
_GLANCES = 30  # about as many as there are side by side
_KEPT_BYTES = 96_000_000


class LabelVideo:
    """Frames as JPEG by their number, exact for any rate and codec; those just shown are kept.

    Args:
        path: of a video or a folder of images.

    Raises:
        BadMedia: it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._reader = FrameReader(path)
        stat = path.stat()
        self._version = f"{stat.st_mtime_ns:x}-{stat.st_size:x}-{stat.st_ino:x}"  # pictures of another file are others
        self._glances: FrameReader | None = None  # thumbnails, which must not disturb stepping
        self._lock = Lock()
        self._kept: OrderedDict[tuple[int, bool], bytes] = OrderedDict()

    def __len__(self) -> int:
        return len(self._reader)

    def about(self) -> dict[str, Any]:
        """Size, and of each frame when it is shown; which are key frames; and which version of the file it is."""
        index, info = self._reader.index, self._reader.info
        return {
            "version": self._version,
            "width": info.width,
            "height": info.height,
            "frames": len(index),
            "fps": round(index.fps, 6),
            "duration_s": round(index.duration_s, 6),
            "times_s": [round(one, 6) for one in index.times_s.tolist()],
            "keys": index.keys.nonzero()[0].tolist(),
        }

    def frame(self, number: int) -> Frame:
        """Decoded. Raises `IndexError`, `BadMedia`."""
        return self._reader.frame(number)

    @property
    def info(self) -> VideoInfo:
        """Its size and rate."""
        return self._reader.info

    @property
    def times_s(self) -> "npt.NDArray[np.float64]":
        """When each frame is shown."""
        return self._reader.index.times_s

    @contextmanager
    def reading(self, numbers: Sequence[int]) -> Iterator[Iterator[Frame]]:
        """Frames in a row, read apart from those that are shown."""
        with open_video(self.path) as source:
            yield source.frames_at(self._reader.index, numbers)

    def jpeg(self, number: int) -> bytes:
        """A frame as a picture at full size."""
        return self._cached((number, False)) or self._keep((number, False), self.frame(number))

    def thumbnail(self, number: int) -> bytes:
        """A frame, small: the key frame before it, which is cheap, where that is not far away."""
        index = self._reader.index
        wanted = min(number, len(index) - 1)
        key = index.key_before(wanted)
        shown = key if wanted - key <= len(index) / _GLANCES else wanted
        return self._cached((shown, True)) or self._keep((shown, True), self._glance(shown))

    def _glance(self, number: int) -> Frame:
        with self._lock:
            if self._glances is None:
                self._glances = FrameReader(self.path)
        return self._glances.frame(number)

    def _cached(self, place: tuple[int, bool]) -> bytes | None:
        with self._lock:
            if place in self._kept:
                self._kept.move_to_end(place)
            return self._kept.get(place)

    def _keep(self, place: tuple[int, bool], frame: Frame) -> bytes:
        image = frame.image
        if place[1]:
            scale = min(1.0, _THUMBNAIL / max(image.shape[:2]))
            image = np.asarray(cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
        _, data = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
        picture = data.tobytes()
        with self._lock:
            self._kept[place] = picture
            while sum(map(len, self._kept.values())) > _KEPT_BYTES:
                self._kept.popitem(last=False)
        return picture

    def close(self) -> None:
        """Close the file."""
        for reader in (self._reader, self._glances):
            if reader is not None:
                reader.close()
