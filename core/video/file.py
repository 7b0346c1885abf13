"""Decoding video files with PyAV."""

import heapq
import logging
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Self, cast

import av
import av.error
import cv2
import numpy as np
from av.format import Flags
from av.video.reformatter import Interpolation

from core.errors import BadMedia
from core.video.clock import Clock
from core.video.frames import RGB, Frame, VideoInfo
from core.video.index import FrameIndex
from core.video.limits import MAX_DURATION_S, MAX_FRAMES, MAX_PIXELS, check_length, check_size
from core.video.opening import open_container, video_stream
from core.video.orientation import Orientation, orientation_of
from core.video.sampling import WHOLE, Part, TimeSampler
from core.video.seek import INTRA_ONLY, decode_at, packet_index
from core.video.whole import PacketCount, check_whole, promised_packets

# Containers that say when packets are decoded, not when frames are shown: with B-frames the two differ.
_UNSTAMPED = frozenset({"avi", "asf", "h264", "hevc", "obu", "mpegvideo", "m4v", "mjpeg", "dv"})
_log = logging.getLogger("maskflow.video")
_OTHER_RATE = 0.02  # a mean rate that is off by more than this is not the one that was declared
_HEAD_FRAMES = 300


class VideoFile:
    """A video file's video stream. Use as a context manager.

    Args:
        path: the file.
        on_read: called for each packet and each frame that is read, also of those nobody wants: reading on to a far
            frame is progress too.

    Raises:
        BadMedia: missing, empty, not a media file of a known container, no video stream, over a ceiling.
    """

    def __init__(self, path: Path, on_read: Callable[[], None] = lambda: None) -> None:
        self._path = path
        self._on_read = on_read
        self._name = path.name
        self._orientation = _first_orientation(path)
        self._container = open_container(path)
        try:
            self._stream = video_stream(self._container, path.name)
            self.info = self._describe()
        except BaseException:
            self._container.close()
            raise
        self.frames_read = 0
        self._promised = promised_packets(self._container, self._stream)
        self._seen = PacketCount(decode_times=not self._stamped)

    def _describe(self) -> VideoInfo:
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
        rates = [stream.average_rate, stream.guessed_rate]
        if self._container.format.flags & cast(int, Flags.no_timestamps.value):  # the mean is a default there
            rates.reverse()
        rate = float(rates[0] or rates[1] or Fraction(25))
        frames = stream.frames or None
        if frames is not None and duration_s:  # an edit list may hide some
            frames = max(1, min(frames, round(duration_s * rate)))
        width, height = self._size = codec.width, codec.height
        if self._orientation.swaps_sides:
            width, height = height, width
        return VideoInfo(width, height, rate, frames, duration_s)

    def frames(
        self,
        fps: float | None = None,
        max_side: int | None = None,
        also: Collection[int] = (),
        part: Part = WHOLE,
    ) -> Iterator[Frame]:
        """See `FrameSource.frames`. Raises `BadMedia` where the data is corrupt or ends early."""
        sampler = TimeSampler(fps)
        for decoded, index, time_s in self._decode():
            if part.is_over(time_s):
                return
            if time_s in part and (sampler.keeps(time_s) or index in also):
                yield Frame(self._to_rgb(decoded, max_side), index, time_s)

    def index(self) -> FrameIndex:
        """See `FrameSource.index`. Raises `BadMedia` where the data is corrupt or ends early."""
        try:
            found = packet_index(self._demux(), self._stream, self._jumps)
        except av.error.FFmpegError as error:
            raise BadMedia(f"{self._name}: corrupt or truncated: {error.strerror}") from None
        if found is not None and self._stamped:
            self.frames_read = len(found)
            self._check_end(found.duration_s)
            found = self._without_hidden_head(found)
        if found is None or not self._stamped:
            found = self._counted(found)
        self.frames_read = len(found)
        self._measure_rate(found.duration_s)
        return found

    def _without_hidden_head(self, found: FrameIndex) -> FrameIndex | None:
        """Without leading frames that refer to what was cut off before them: decoders do not show these.

        None where decoding from the start gives other frames than the packets say.
        """
        if self._stream.codec_context.name in INTRA_ONLY:
            return found
        keys = np.flatnonzero(found.keys)
        until = min(_HEAD_FRAMES, int(keys[1]) if len(keys) > 1 else len(found))
        shown: list[int] = []
        indexed = found.pts[: until - 1].tolist()
        with VideoFile(self._path, self._on_read) as again:
            try:
                for decoded, _, _ in again._decode():
                    if decoded.pts is None or decoded.pts >= found.pts[until - 1]:
                        break
                    shown.append(decoded.pts)
            except BadMedia:  # damaged further on: it is those who ask for these frames that it concerns
                if not shown or shown[0] not in indexed:
                    return found
                indexed = indexed[: indexed.index(shown[0]) + len(shown)]
        hidden = len(indexed) - len(shown)
        if hidden < 0 or indexed[hidden:] != shown or not found.keys[hidden]:
            return None
        return found if hidden == 0 else found.from_frame(hidden)

    def _counted(self, indexed: FrameIndex | None) -> FrameIndex:
        """The frames counted by decoding: slow, but right. What packets `indexed` is kept where that shows the same."""
        _log.info("%s: frames are counted by decoding, since its packets do not say when each is shown", self._path)
        times, stamps = [], []
        with VideoFile(self._path, self._on_read) as again:
            for decoded, _, time_s in again._decode():
                times.append(time_s)
                stamps.append(decoded.pts)
        times_s = np.array(times, np.float64)
        if indexed is not None and indexed.pts.tolist() == stamps:
            return replace(indexed, times_s=times_s)
        return FrameIndex(times_s, np.zeros(0, np.int64), np.arange(len(times)) == 0)

    def frames_at(self, index: FrameIndex, wanted: Sequence[int], max_side: int | None = None) -> Iterator[Frame]:
        """See `FrameSource.frames_at`. Raises `BadMedia` where one of them does not come out."""
        missing = set(wanted)
        try:
            for number, decoded in self._decode_at(index, wanted):
                self._check_size(decoded, number)
                missing.discard(number)
                yield Frame(self._to_rgb(decoded, max_side), number, float(index.times_s[number]))
        except av.error.FFmpegError as error:
            raise BadMedia(f"{self._name}: corrupt near frame {min(missing)}: {error.strerror}") from None
        if missing:
            raise BadMedia(f"{self._name}: frame {min(missing)} cannot be decoded: the file is damaged there")

    def _decode_at(self, index: FrameIndex, wanted: Sequence[int]) -> Iterator[tuple[int, av.VideoFrame]]:
        if len(index.pts):
            yield from decode_at(self._container, self._stream, index, wanted)
            return
        with VideoFile(self._path, self._on_read) as again:
            chosen, last = set(wanted), max(wanted, default=-1)
            for decoded, number, _ in again._decode():
                if number in chosen:
                    yield number, decoded
                if number >= last:
                    return

    @property
    def _jumps(self) -> bool:
        """The clock may start anew within the file."""
        return bool(self._container.format.flags & cast(int, Flags.ts_discont.value))

    @property
    def _stamped(self) -> bool:
        """Packets say when their frame is shown."""
        formats = set(self._container.format.name.split(","))
        return not formats & _UNSTAMPED or self._stream.codec_context.name in INTRA_ONLY

    def _demux(self) -> Iterator["av.Packet[av.VideoStream]"]:
        for packet in self._container.demux(self._stream):
            self._seen.add(packet)
            self._on_read()
            yield packet

    def _decode(self) -> Iterator[tuple[av.VideoFrame, int, float]]:
        """Every frame from the start, with its number and time."""
        clock = Clock(self._stream.time_base or Fraction(1, 1000), 1 / self.info.fps, self._jumps)
        stamped = self._stamped
        waiting: list[int] = []  # stamps of packets whose frames have not come out yet
        time_s = 0.0
        try:
            for packet in self._demux():
                decode_time = packet.dts if packet.dts is not None else packet.pts
                if packet.size and decode_time is not None and not packet.is_discard:
                    heapq.heappush(waiting, decode_time)
                for decoded in packet.decode():
                    lowest = heapq.heappop(waiting) if waiting else None
                    time_s = clock.time_s(decoded.pts if stamped and decoded.pts is not None else lowest)
                    index = self.frames_read
                    self.frames_read += 1
                    self._check_progress(decoded, time_s)
                    yield decoded, index, time_s
        except av.error.FFmpegError as error:
            reason = f"corrupt or truncated after frame {self.frames_read} ({time_s:.2f} s): {error.strerror}"
            raise BadMedia(f"{self._name}: {reason}") from None
        self._check_end(time_s)
        self._measure_rate(time_s)

    def _check_end(self, time_s: float) -> None:
        if self.frames_read == 0:
            raise BadMedia(f"{self._name}: a video stream without a single frame")
        ends = f"it ends after {self.frames_read} frames ({time_s:.2f} s)"
        check_whole(self._path, self._stream, self._seen, self._promised, ends)

    def _measure_rate(self, duration_s: float) -> None:
        """Frames that were left out when the file was made are not in the rate that it declares."""
        rate = (self.frames_read - 1) / duration_s if duration_s > 0 else self.info.fps
        if abs(rate / self.info.fps - 1) > _OTHER_RATE:
            self.info = replace(self.info, fps=rate)

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

    def _to_rgb(self, frame: av.VideoFrame, max_side: int | None) -> RGB:
        width, height = frame.width, frame.height
        if max_side is not None and max(width, height) > max_side:
            scale = max_side / max(width, height)
            width, height = max(1, round(width * scale)), max(1, round(height * scale))
        image = frame.to_ndarray(format="rgb24", width=width, height=height, interpolation=Interpolation.AREA)
        return self._orientation.apply(np.asarray(image, np.uint8))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._container.close()


def _first_orientation(path: Path) -> Orientation:
    """How the pictures are turned: only a decoded frame carries it."""
    try:
        with open_container(path) as container:
            stream = video_stream(container, path.name)
            check_size(path.name, stream.codec_context.width, stream.codec_context.height)
            for frame in container.decode(stream):
                return orientation_of(frame)
    except av.error.FFmpegError as error:
        raise BadMedia(f"{path.name}: its first frame cannot be decoded: {error.strerror}") from None
    raise BadMedia(f"{path.name}: a video stream without a single frame")
