"""Whether a video file is all there: what came out, held against what its container really promises."""

import re
from dataclasses import dataclass
from pathlib import Path

import av
import av.container

from core.errors import BadMedia
from core.video.promised import missing_bytes

_ROUNDED_FRAMES = 0.5
_OFF_FRAMES = 2.0  # by which a declared end may be off where nothing else says that frames are missing


@dataclass
class PacketCount:
    """What came of a stream's packets: how many are whole, and where the last one ends, in ticks.

    `decode_times`: the container says when packets are decoded, not when they are shown.
    """

    decode_times: bool = False
    packets: int = 0
    end: int | None = None

    def add(self, packet: "av.Packet[av.VideoStream]") -> None:
        """Count a packet."""
        if not packet.size or packet.is_corrupt:
            return
        self.packets += 1
        stamp = packet.dts if self.decode_times or packet.pts is None else packet.pts
        if stamp is not None:
            self.end = max(self.end or 0, stamp + (packet.duration or 0))


def promised_packets(container: av.container.InputContainer, stream: av.VideoStream) -> int:
    """Packets with data that the container's own index lists; 0 where it has no list of all of them."""
    if "mp4" not in container.format.name.split(",") or not stream.frames:  # none: it is in fragments
        return 0
    return sum(1 for entry in stream.index_entries if entry.size)


def check_whole(path: Path, stream: av.VideoStream, seen: PacketCount, promised: int, ends: str) -> None:
    """Raise `BadMedia` where frames are missing at the end.

    Neither a header's count of frames nor its length is a promise: edit lists hide frames, AVI counts those that were
    left out, Matroska's times begin where the recording began.

    Args:
        path: the file.
        stream: read to its end.
        seen: what came of it.
        promised: see `promised_packets`, when the file was opened.
        ends: how far it goes, for the message.
    """
    if promised:
        if seen.packets < promised:
            raise BadMedia(f"{path.name}: truncated: {ends}, and its index lists {promised} frames")
        return
    missing, declared_s = missing_bytes(path), _declared_end_s(stream)
    if missing == 0 or (missing is None and declared_s is None):
        return
    off_s = (_ROUNDED_FRAMES if missing else _OFF_FRAMES) / float(stream.average_rate or 25)
    if declared_s is None or seen.end is None or seen.end * (stream.time_base or 0) < declared_s - off_s:
        lost = "" if missing is None else f", and {missing:,} bytes are missing"
        raise BadMedia(f"{path.name}: truncated: {ends}{lost}")


def _declared_end_s(stream: av.VideoStream) -> float | None:
    """When the last frame ends, by Matroska's tag or AVI's count, on the clock of the file."""
    tag = re.fullmatch(r"(\d+):(\d+):(\d+\.?\d*)", stream.metadata.get("DURATION", ""))
    if tag is not None:
        return 3600 * int(tag[1]) + 60 * int(tag[2]) + float(tag[3])
    if stream.container.format.name == "avi" and stream.frames and stream.time_base:  # whose ticks are frames
        return float(stream.frames * stream.time_base)
    return None
