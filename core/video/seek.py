"""Reaching chosen frames of a video file: seek to a key frame, read on, decode no more than those frames need.

What comes out is what decoding from the start gives, bit for bit.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

import av
import av.container
import numpy as np
import numpy.typing as npt

from core.video.h264 import begins_clean
from core.video.index import FrameIndex
from core.video.limits import MAX_FRAMES

# One packet, one frame, in these. Elsewhere there are packets that show nothing, and counting them would be wrong.
INTRA_ONLY = frozenset({"mjpeg", "prores", "dnxhd", "ffv1", "rawvideo", "huffyuv", "ffvhuff", "utvideo", "dvvideo"})
"""Codecs each of whose frames stands alone: what is decoded first is shown first."""
_COUNTABLE = INTRA_ONLY | {"h264", "hevc", "vp9", "av1", "libdav1d", "mpeg1video", "mpeg2video"}
_GAP_S = 10.0


def packet_index(
    packets: Iterable["av.Packet[av.VideoStream]"], stream: av.VideoStream, jumps: bool
) -> FrameIndex | None:
    """The frames by their packets, nothing decoded; None where those are not reliable.

    Args:
        packets: all of the stream.
        stream: the stream.
        jumps: its clock may start anew within the file, see `Clock`.
    """
    countable = stream.codec_context.name in _COUNTABLE and stream.time_base is not None
    stamps: list[int] = []
    decoded_at: list[int] = []
    keys: list[bool] = []
    for packet in packets:  # to the end in any case: how many there are says whether the file is whole
        if packet.size == 0 or packet.is_discard or not countable:
            continue
        if packet.pts is None or len(stamps) > MAX_FRAMES:
            countable = False  # too many are refused where they are counted
            continue
        stamps.append(packet.pts)
        decoded_at.append(packet.pts if packet.dts is None else packet.dts)
        keys.append(packet.is_keyframe and (not keys or _begins_clean(packet)))
    if not countable or not stamps or stream.time_base is None:
        return None
    pts = np.asarray(stamps, np.int64)
    order = np.argsort(pts, kind="stable")
    steps = np.diff(pts[order])
    key = np.asarray(keys, np.bool_)[order]
    tick_s = float(stream.time_base)
    if not keys[0] or not key[0] or (steps <= 0).any() or (jumps and _restarts(decoded_at, steps * tick_s)):
        return None
    return FrameIndex.of_stamps(pts[order], key, tick_s)


def _begins_clean(packet: "av.Packet[av.VideoStream]") -> bool:
    codec = packet.stream.codec_context
    return codec.name != "h264" or begins_clean(bytes(packet), codec.extradata)


def _restarts(decoded_at: Sequence[int], steps_s: npt.NDArray[np.float64]) -> bool:
    """The clock runs back, or leaves a gap that is no pause."""
    return bool((np.diff(decoded_at) < 0).any() or (steps_s > _GAP_S).any())


def decode_at(
    container: av.container.InputContainer, stream: av.VideoStream, index: FrameIndex, wanted: Sequence[int]
) -> Iterator[tuple[int, av.VideoFrame]]:
    """Decode the frames `wanted`, ascending; gives each with its number. One that does not come out is left out."""
    for key, group in groupby(wanted, index.key_before):
        numbers = {int(index.pts[number]): number for number in group}
        yield from _from_key(container, stream, int(index.pts[key]), numbers)
        # What is marked as a key frame may only begin a refresh that is complete some frames later.
        while numbers and key > 0:
            key = index.key_before(key - 1)
            yield from _from_key(container, stream, int(index.pts[key]), numbers)


def _from_key(
    container: av.container.InputContainer, stream: av.VideoStream, key_pts: int, wanted: dict[int, int]
) -> Iterator[tuple[int, av.VideoFrame]]:
    """Decode from a key frame on, and take out of `wanted` what comes; stops where one of them is passed over."""
    codec = stream.codec_context
    # Frames that no other refers to need not be decoded. HEVC's layers make "no other" a matter of their own.
    drops_unreferenced = codec.name == "h264"
    to_feed = set(wanted)
    for packet in _packets_from(container, stream, key_pts):
        codec.skip_frame = "NONREF" if drops_unreferenced and packet.pts not in to_feed else "DEFAULT"
        to_feed.discard(packet.pts if packet.pts is not None else key_pts)
        for frame in codec.decode(packet):
            if frame.pts in wanted:
                if frame.pts != min(wanted):
                    return
                yield wanted.pop(frame.pts), frame
        if not to_feed:
            break
    for frame in codec.decode(None) if wanted else ():
        if frame.pts in wanted:
            if frame.pts != min(wanted):
                return
            yield wanted.pop(frame.pts), frame


def _packets_from(
    container: av.container.InputContainer, stream: av.VideoStream, key_pts: int
) -> Iterator["av.Packet[av.VideoStream]"]:
    """Packets from the key frame on, and a decoder that knows of nothing before it."""
    second = round(1 / (stream.time_base or 1))
    # Some containers seek to any packet near the time, not to a key frame: then from earlier, at last from the start.
    for target in (key_pts, key_pts - second, (stream.start_time or 0) - second):
        container.seek(target, stream=stream, backward=True)
        stream.codec_context.flush_buffers()
        packets = (packet for packet in container.demux(stream) if packet.size)
        for packet in packets:
            if packet.pts == key_pts and packet.is_keyframe:
                yield packet
                yield from packets
                return
            if packet.dts is not None and packet.dts > key_pts:
                break
