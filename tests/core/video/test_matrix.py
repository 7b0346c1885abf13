"""Containers x codecs x B-frames x groups of pictures: whatever is reached by seeking is what decoding from the start
gives, no frame is lost or out of order, and times ascend."""

import random
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from core.video.source import open_video

N, FPS = 48, 24
WIDTH, HEIGHT, BLOCK = 64, 48, 16


@dataclass(frozen=True)
class Encoding:
    """How a file is made."""

    container: str
    codec: str
    options: dict[str, str] = field(default_factory=dict)
    pixels: str = "yuv420p"
    format: str | None = None


X264 = {
    "no-b": {"g": "12", "bf": "0"},
    "b2": {"g": "12", "bf": "2", "x264-params": "b-adapt=0:scenecut=0"},
    "pyramid": {"g": "16", "bf": "3", "x264-params": "b-adapt=0:b-pyramid=normal:scenecut=0"},
    "open": {"g": "10", "bf": "3", "x264-params": "open-gop=1:b-adapt=0:scenecut=0"},
    "one-gop": {"g": "250", "bf": "2", "x264-params": "b-adapt=0:scenecut=0"},
    "refresh": {"g": "16", "bf": "0", "x264-params": "intra-refresh=1"},
}
X265 = {
    "hevc-b": {"x265-params": "log-level=none:bframes=3:b-adapt=0:keyint=12:pools=1:frame-threads=1:open-gop=0"},
    "hevc-open": {"x265-params": "log-level=none:bframes=3:b-adapt=0:keyint=12:pools=1:frame-threads=1:open-gop=1"},
}
VPX = {"g": "12", "deadline": "realtime", "cpu-used": "8", "lag-in-frames": "8", "auto-alt-ref": "1"}
MATRIX = {
    **{f"{name}.{container}": Encoding(container, "libx264", options)
       for name, options in X264.items() for container in ("mp4", "mkv", "ts", "avi", "flv", "mov")},
    **{f"{name}.{container}": Encoding(container, "libx265", options)
       for name, options in X265.items() for container in ("mp4", "mkv", "ts")},
    **{f"{name}.wmv": Encoding("wmv", "libx264", X264[name], format="asf") for name in ("b2", "pyramid")},
    **{f"{name}.h264": Encoding("h264", "libx264", X264[name]) for name in ("no-b", "b2", "open")},
    **{f"mpeg4-b{bf}.{container}": Encoding(container, "mpeg4", {"g": "12", "bf": bf})
       for bf in ("0", "2") for container in ("avi", "mp4", "mkv")},
    **{f"mpeg2-b{bf}.{container}": Encoding(container, "mpeg2video", {"g": "12", "bf": bf})
       for bf in ("0", "2") for container in ("mpg", "ts", "mkv", "avi")},
    "mpeg1.mpg": Encoding("mpg", "mpeg1video", {"g": "12", "bf": "2"}),
    "wmv2.wmv": Encoding("wmv", "wmv2", {"g": "12"}),
    "flv1.flv": Encoding("flv", "flv", {"g": "12"}),
    "vp8.webm": Encoding("webm", "libvpx", VPX),
    "vp9.webm": Encoding("webm", "libvpx-vp9", VPX),
    "vp9.ivf": Encoding("ivf", "libvpx-vp9", VPX),
    "av1.mp4": Encoding("mp4", "libsvtav1", {"g": "12", "preset": "12"}),
    "ffv1.mkv": Encoding("mkv", "ffv1"),
    "ffv1.avi": Encoding("avi", "ffv1"),
    "huffyuv.avi": Encoding("avi", "huffyuv", pixels="yuv422p"),
    "mjpeg.avi": Encoding("avi", "mjpeg", pixels="yuvj420p"),
    "mjpeg.mov": Encoding("mov", "mjpeg", pixels="yuvj420p"),
    "raw.y4m": Encoding("y4m", "rawvideo", format="yuv4mpegpipe"),
    "rawvideo.avi": Encoding("avi", "rawvideo", pixels="bgr24"),
    "prores.mov": Encoding("mov", "prores_ks", pixels="yuv422p10le"),
    "moving.gif": Encoding("gif", "gif", pixels="rgb8"),
    "moving.apng": Encoding("apng", "apng", pixels="rgb24"),
    "fragmented.mp4": Encoding("mp4", "libx264", X264["b2"], format="fragmented"),
}  # fmt: skip


def _numbered(index: int) -> np.ndarray:
    """A picture that shows its own number in six black and white blocks, on a ground that moves."""
    image = np.roll(np.linspace(60, 190, WIDTH, dtype=np.uint8), index)[None, :, None].repeat(HEIGHT, 0).repeat(3, 2)
    for bit in range(6):
        row, column = divmod(bit, 4)
        value = 255 if index >> bit & 1 else 0
        image[row * BLOCK : (row + 1) * BLOCK, column * BLOCK : (column + 1) * BLOCK] = value
    return image


def _number(image: np.ndarray) -> int:
    middle = BLOCK // 2
    return sum(
        (int(image[bit // 4 * BLOCK + middle, bit % 4 * BLOCK + middle].mean()) > 127) << bit for bit in range(6)
    )


def _encode(folder: Path, name: str, how: Encoding) -> Path:
    path = folder / name
    fragmented = how.format == "fragmented"
    options = {"movflags": "frag_keyframe+empty_moov"} if fragmented else {}
    with av.open(str(path), "w", format=None if fragmented else how.format, options=options) as out:
        stream = out.add_stream(how.codec, rate=FPS, options=how.options)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, how.pixels
        if how.codec in ("mpeg4", "mpeg2video", "mpeg1video", "wmv2", "flv", "mjpeg"):
            stream.codec_context.bit_rate = 2_000_000
        for index in range(N):
            frame = av.VideoFrame.from_ndarray(_numbered(index), format="rgb24")
            frame.time_base, frame.pts = Fraction(1, FPS), index
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("name", MATRIX)
def test_seeking_equals_decoding_from_the_start(name: str, tmp_path: Path) -> None:
    how = MATRIX[name]
    if how.codec not in av.codecs_available:
        pytest.skip(f"this build of FFmpeg has no encoder {how.codec}")
    path = _encode(tmp_path, name, how)
    with open_video(path) as source:
        every = list(source.frames())
    assert [_number(frame.image) for frame in every] == list(range(N))
    assert [frame.source_frame for frame in every] == list(range(N))
    times = [frame.time_s for frame in every]
    assert times == pytest.approx([index / FPS for index in range(N)], abs=0.011)
    assert all(before < after for before, after in pairwise(times))
    with open_video(path) as source:
        index = source.index()
    assert index.times_s.tolist() == pytest.approx(times, abs=1e-9)
    rng = random.Random(name)
    choices = [[0], [N - 1], list(range(0, N, 7)), sorted(rng.sample(range(N), 6)), list(range(N))]
    with open_video(path) as source:
        for wanted in choices:
            found = list(source.frames_at(index, wanted))
            assert [frame.source_frame for frame in found] == wanted
            assert all(np.array_equal(frame.image, every[frame.source_frame].image) for frame in found)
