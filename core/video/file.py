"""Decoding video files with PyAV, under format and protocol whitelists."""

import logging
import re
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Self

import av
import av.container
import av.error
import cv2
import numpy as np
from av.video.reformatter import Interpolation

from core.errors import BadMedia
from core.video.frames import RGB, Frame, VideoInfo
from core.video.index import FrameIndex
from core.video.limits import MAX_DURATION_S, MAX_FRAMES, MAX_PIXELS, check_length, check_size
from core.video.sampling import TimeSampler
from core.video.seek import decode_at, packet_index

# Containers that hold media themselves. Playlists (concat, hls, dash) name other files and are left out:
# FFmpeg would open them under any file name.
FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,flv,ogg,asf,gif,h264,hevc,ivf,mpegvideo,m4v,mxf"
PROTOCOLS = "file"

logging.getLogger("libav").setLevel(logging.CRITICAL)


class VideoFile:
    """A video file's first video stream. Use as a context manager.

    Args:
        path: the file.

    Raises:
        BadMedia: missing, empty, not a media file of a known container, no video stream, over a ceiling.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._name = path.name
        quarter_turns = _first_frame_turns(path)
        self._container = _open(path)
        try:
            self.info = self._describe(quarter_turns)
        except BaseException:
            self._container.close()
            raise
        self.frames_read = 0

    def _describe(self, quarter_turns: int) -> VideoInfo:
        stream = self._stream
        codec = stream.codec_context
        check_size(self._name, codec.width, codec.height)
        duration_s = float(stream.duration * stream.time_base) if stream.duration and stream.time_base else None
        if duration_s is None and self._container.duration:
            duration_s = self._container.duration / 1e6
        check_length(self._name, duration_s, stream.frames)
        # Slots share the machine: a decoder takes no more threads than its process was given.
        codec.thread_type = "AUTO"
        codec.thread_count = max(1, cv2.getNumThreads())
        codec.options = {"max_pixels": str(MAX_PIXELS)}
        rate = stream.average_rate or stream.guessed_rate or Fraction(25)
        width, height = self._size = codec.width, codec.height
        if quarter_turns % 2:
            width, height = height, width
        return VideoInfo(width, height, float(rate), stream.frames or None, duration_s)

    @property
    def _stream(self) -> av.VideoStream:
        return self._container.streams.video[0]

    def frames(self, fps: float | None = None, max_side: int | None = None) -> Iterator[Frame]:
        """See `FrameSource.frames`. Raises `BadMedia` where the data is corrupt or ends early."""
        sampler = TimeSampler(fps)
        for decoded, index, time_s in self._decode():
            if sampler.keeps(time_s):
                yield Frame(_to_rgb(decoded, max_side), index, time_s)

    def index(self) -> FrameIndex:
        """See `FrameSource.index`. Raises `BadMedia` where the data is corrupt or ends early."""
        try:
            found = packet_index(self._container, self._stream)
        except av.error.FFmpegError as error:
            raise BadMedia(f"{self._name}: corrupt or truncated: {error.strerror}") from None
        if found is None:  # count by decoding: slow, but right
            with VideoFile(self._path) as again:
                times = np.array([time_s for _, _, time_s in again._decode()], np.float64)
            return FrameIndex(times, np.zeros(0, np.int64), np.arange(len(times)) == 0)
        self.frames_read = len(found)
        self._check_end(float(found.times_s[-1]))
        return found

    def frames_at(self, index: FrameIndex, wanted: Sequence[int], max_side: int | None = None) -> Iterator[Frame]:
        """See `FrameSource.frames_at`. Raises `BadMedia` where one of them does not come out."""
        missing = set(wanted)
        try:
            for number, decoded in self._decode_at(index, wanted):
                self._check_size(decoded, number)
                missing.discard(number)
                yield Frame(_to_rgb(decoded, max_side), number, float(index.times_s[number]))
        except av.error.FFmpegError as error:
            raise BadMedia(f"{self._name}: corrupt near frame {min(missing)}: {error.strerror}") from None
        if missing:
            raise BadMedia(f"{self._name}: frame {min(missing)} cannot be decoded: the file is damaged there")

    def _decode_at(self, index: FrameIndex, wanted: Sequence[int]) -> Iterator[tuple[int, av.VideoFrame]]:
        if len(index.pts):
            yield from decode_at(self._container, self._stream, index, wanted)
            return
        with VideoFile(self._path) as again:
            chosen, last = set(wanted), max(wanted, default=-1)
            for decoded, number, _ in again._decode():
                if number in chosen:
                    yield number, decoded
                if number >= last:
                    return

    def _decode(self) -> Iterator[tuple[av.VideoFrame, int, float]]:
        """Every frame from the start, with its number and time."""
        stream = self._stream
        start = stream.start_time or 0
        time_s = 0.0
        try:
            for decoded in self._container.decode(stream):
                index = self.frames_read
                self.frames_read += 1
                if decoded.pts is not None and decoded.time_base is not None:
                    # Joined recordings start their clock anew: time never runs backward here.
                    time_s = max(time_s, float((decoded.pts - start) * decoded.time_base))
                else:
                    time_s = index / self.info.fps
                self._check_progress(decoded, time_s)
                yield decoded, index, time_s
        except av.error.FFmpegError as error:
            reason = f"corrupt or truncated after frame {self.frames_read} ({time_s:.2f} s): {error.strerror}"
            raise BadMedia(f"{self._name}: {reason}") from None
        self._check_end(time_s)

    def _check_end(self, time_s: float) -> None:
        """Containers that can be read to wherever they were cut: hold what came out against what they declare."""
        if self.frames_read == 0:
            raise BadMedia(f"{self._name}: a video stream without a single frame")
        declared, length_s = self.info.declared_frames or 0, _tagged_duration_s(self._stream) or 0.0
        missing = declared - self.frames_read > max(3, 0.05 * declared)
        if missing or length_s - time_s > max(1.0, 0.05 * length_s):
            whole = f"{declared} frames" if declared else f"{length_s:.2f} s"
            found = f"it ends after {self.frames_read} frames ({time_s:.2f} s) and says it has {whole}"
            raise BadMedia(f"{self._name}: truncated: {found}")

    def _check_progress(self, decoded: av.VideoFrame, time_s: float) -> None:
        # Headers lie: the same ceilings hold for what really comes out.
        self._check_size(decoded, self.frames_read - 1)
        if self.frames_read > MAX_FRAMES or time_s > MAX_DURATION_S:
            check_length(self._name, time_s, self.frames_read)

    def _check_size(self, decoded: av.VideoFrame, number: int) -> None:
        size = (decoded.width, decoded.height)
        check_size(self._name, *size)
        if size != self._size:
            first = f"{self._size[0]}x{self._size[1]}"
            raise BadMedia(f"{self._name}: frame {number} is {size[0]}x{size[1]}, the first is {first}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._container.close()


def _open(path: Path) -> av.container.InputContainer:
    if not path.exists():
        raise BadMedia(f"{path}: no such file")
    if not path.is_file():
        raise BadMedia(f"{path}: not a regular file")
    if path.stat().st_size == 0:
        raise BadMedia(f"{path.name}: an empty file (0 bytes)")
    try:
        options = {"format_whitelist": FORMATS, "protocol_whitelist": PROTOCOLS}
        container = av.open(str(path), mode="r", options=options)
    except (av.error.FFmpegError, ValueError, OSError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise BadMedia(f"{path.name}: not a video file of a known container ({reason})") from None
    if not container.streams.video:
        kinds = ", ".join(sorted({stream.type for stream in container.streams})) or "nothing"
        container.close()
        raise BadMedia(f"{path.name}: no video stream (it holds {kinds})")
    return container


def _tagged_duration_s(stream: av.VideoStream) -> float | None:
    """Matroska's length of a stream, `00:01:02.500000000`; None where there is none."""
    match = re.fullmatch(r"(\d+):(\d+):(\d+\.?\d*)", stream.metadata.get("DURATION", ""))
    return 3600 * int(match[1]) + 60 * int(match[2]) + float(match[3]) if match else None


def _first_frame_turns(path: Path) -> int:
    """The display matrix's rotation, which only a decoded frame carries, in quarter turns."""
    try:
        with _open(path) as container:
            stream = container.streams.video[0]
            check_size(path.name, stream.codec_context.width, stream.codec_context.height)
            for frame in container.decode(stream):
                return _quarter_turns(frame)
    except av.error.FFmpegError as error:
        raise BadMedia(f"{path.name}: its first frame cannot be decoded: {error.strerror}") from None
    raise BadMedia(f"{path.name}: a video stream without a single frame")


def _quarter_turns(frame: av.VideoFrame) -> int:
    return round(frame.rotation / 90) % 4


def _to_rgb(frame: av.VideoFrame, max_side: int | None) -> RGB:
    width, height = frame.width, frame.height
    if max_side is not None and max(width, height) > max_side:
        scale = max_side / max(width, height)
        width, height = max(1, round(width * scale)), max(1, round(height * scale))
    image = frame.to_ndarray(format="rgb24", width=width, height=height, interpolation=Interpolation.AREA)
    turns = _quarter_turns(frame)
    return np.asarray(np.ascontiguousarray(np.rot90(image, turns)) if turns else image, np.uint8)
