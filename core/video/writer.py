"""Writing H.264 video that plays everywhere, atomically."""

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from core.store.atomic import atomic_file
from core.video.frames import RGB

# Ticks a second: divides every usual frame rate, so that variable rates keep their times.
_TIME_BASE = Fraction(1, 90_000)
# x264's bits depend on the number of its threads: a process's share of the cores must not change a file.
_THREADS = 2
# Macroblock-tree rate control is off: x264 reads unwritten memory there, so that the same frames give other bytes in
# another process. Without it, files of real video are 10 to 16 % smaller and lose 0.6 to 0.8 dB.
_X264_OPTIONS = {"preset": "veryfast", "x264-params": "mbtree=0"}


class VideoWriter:
    """Frames in, H.264 out. Made by `write_video`."""

    def __init__(self, container: av.container.OutputContainer, fps: float, width: int, height: int, crf: int) -> None:
        self._container = container
        # yuv420p halves both sides: odd sizes get one line or column more.
        self._padding = ((0, height % 2), (0, width % 2), (0, 0))
        stream = container.add_stream("libx264", rate=Fraction(fps).limit_denominator(1001))
        stream.width, stream.height = width + width % 2, height + height % 2
        stream.pix_fmt = "yuv420p"
        stream.time_base = stream.codec_context.time_base = _TIME_BASE
        stream.codec_context.thread_count = _THREADS
        stream.options = {"crf": str(crf), **_X264_OPTIONS}
        self._stream = stream
        self._last_pts = -1

    def write(self, image: RGB, time_s: float) -> None:
        """Append one frame [H, W, 3] to be shown at `time_s`; times increase."""
        frame = av.VideoFrame.from_ndarray(np.pad(image, self._padding, mode="edge"), format="rgb24")
        frame.time_base = _TIME_BASE
        frame.pts = self._last_pts = max(self._last_pts + 1, round(time_s / _TIME_BASE))
        self._container.mux(self._stream.encode(frame))

    def finish(self) -> None:
        """Flush what the encoder still holds."""
        self._container.mux(self._stream.encode(None))


@contextmanager
def write_video(path: Path, fps: float, width: int, height: int, crf: int = 20) -> Iterator[VideoWriter]:
    """Write an H.264 MP4; `path` appears when the context ends without an error.

    Args:
        path: the `.mp4` file to make.
        fps: nominal rate; each frame brings its own time.
        width: of the frames, in pixels.
        height: of the frames, in pixels.
        crf: x264's constant rate factor: the lower, the more of the picture is kept.
    """
    options = {"movflags": "+faststart"}
    with atomic_file(path) as temporary, av.open(str(temporary), "w", format="mp4", options=options) as container:
        writer = VideoWriter(container, fps, width, height, crf)
        yield writer
        writer.finish()
