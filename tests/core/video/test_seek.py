"""Chosen frames, reached by seeking, are those that decoding from the start gives."""

import random
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from conftest import MakeVideo, moving_square

from core.errors import BadMedia
from core.video.backward import read_backward
from core.video.index import load_index
from core.video.source import open_video

N = 70
ENCODINGS = {
    "h264-long-gop-b-frames": ("mp4", "libx264", {"g": "30", "bf": "3", "preset": "medium"}),
    "h264-open-gop": ("mkv", "libx264", {"g": "12", "bf": "3", "x264-params": "open-gop=1:scenecut=0"}),
    "h264-transport-stream": ("ts", "libx264", {"g": "15", "bf": "2"}),
    "h264-avi": ("avi", "libx264", {"g": "20", "bf": "0"}),
    "hevc": ("mp4", "libx265", {"g": "24", "x265-params": "log-level=none:bframes=3:pools=1:frame-threads=1"}),
    "vp9": ("webm", "libvpx-vp9", {"g": "20", "deadline": "realtime", "cpu-used": "8", "auto-alt-ref": "1"}),
    "vp8-hidden-frames": ("webm", "libvpx", {"g": "20", "auto-alt-ref": "1", "lag-in-frames": "8"}),
    "mpeg4-b-frames-avi": ("avi", "mpeg4", {"g": "15", "bf": "2"}),
    "h264-refreshed-bit-by-bit": ("mp4", "libx264", {"g": "20", "bf": "0", "x264-params": "intra-refresh=1"}),
    "every-frame-a-key": ("mkv", "mjpeg", {}),
}


def _encode(path: Path, container: str, codec: str, options: dict[str, str], uneven: bool = False) -> Path:
    path = path / f"video.{container}"
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=30, options=options)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height = 96, 64
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        if uneven:
            stream.codec_context.time_base = Fraction(1, 9000)
        for index, image in enumerate(moving_square(N)):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            if uneven:
                frame.time_base, frame.pts = Fraction(1, 9000), index * 300 + 130 * (index % 3)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def _check(path: Path, tmp_path: Path) -> None:
    with open_video(path) as source:
        every = list(source.frames(max_side=48))
    with open_video(path) as source:
        source.index().save(tmp_path)
    index = load_index(tmp_path)
    assert len(index) == len(every)
    np.testing.assert_allclose(index.times_s, [frame.time_s for frame in every], atol=1e-9)
    rng = random.Random(5)
    choices = [[0], [len(every) - 1], list(range(0, len(every), 30)), sorted(rng.sample(range(len(every)), 9))]
    choices += [list(range(20, 45)), list(range(len(every)))]
    with open_video(path) as source:
        for wanted in choices:
            found = list(source.frames_at(index, wanted, 48))
            assert [frame.source_frame for frame in found] == wanted
            for frame in found:
                assert np.array_equal(frame.image, every[frame.source_frame].image), frame.source_frame
                assert frame.time_s == pytest.approx(every[frame.source_frame].time_s)
        with read_backward(source, index, choices[3], 48) as frames:
            backward = list(frames)
    assert [frame.source_frame for frame in backward] == choices[3][::-1]
    assert all(np.array_equal(frame.image, every[frame.source_frame].image) for frame in backward)


@pytest.mark.parametrize("name", ENCODINGS)
def test_frames_reached_by_seeking_equal_those_read_from_the_start(name: str, tmp_path: Path) -> None:
    container, codec, options = ENCODINGS[name]
    if codec not in av.codecs_available:
        pytest.skip(f"this build of FFmpeg has no encoder {codec}")
    _check(_encode(tmp_path, container, codec, options), tmp_path)


def test_variable_frame_rate(tmp_path: Path) -> None:
    _check(_encode(tmp_path, "mp4", "libx264", {"g": "25", "bf": "2"}, uneven=True), tmp_path)


def test_a_trimmed_video_is_counted_as_it_is_shown(tmp_path: Path) -> None:
    whole = _encode(tmp_path, "mp4", "libx264", {"g": "20", "bf": "2"})
    trimmed = tmp_path / "trimmed.mp4"
    with av.open(str(whole)) as source, av.open(str(trimmed), "w") as out:
        stream = source.streams.video[0]
        assert stream.time_base is not None
        copy = out.add_stream_from_template(stream)
        source.seek(int(1.0 / stream.time_base), stream=stream)  # between key frames: an edit list hides the start
        for packet in source.demux(stream):
            if packet.size:
                packet.stream = copy
                out.mux(packet)
    _check(trimmed, tmp_path)


def test_a_folder_of_images(tmp_path: Path) -> None:
    from PIL import Image

    (tmp_path / "images").mkdir()
    for number, image in enumerate(moving_square(12)):
        Image.fromarray(image).save(tmp_path / "images" / f"{number}.png")
    with open_video(tmp_path / "images") as source:
        index = source.index()
        assert [frame.source_frame for frame in source.frames_at(index, [3, 10])] == [3, 10]
        with read_backward(source, index, [3, 10]) as frames:
            assert [frame.source_frame for frame in frames] == [10, 3]


@pytest.mark.parametrize("piece", [5, 100])
def test_a_long_way_back_is_read_piece_by_piece(
    piece: int, tmp_path: Path, make_video: MakeVideo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.video.backward._PIECE_BYTES", piece * 3 * 96 * 64)
    path = make_video(tmp_path / "video.mp4", frames=40)
    with open_video(path) as source:
        every = list(source.frames())
    with open_video(path) as source:
        index = source.index()
    with open_video(path) as source, read_backward(source, index, range(2, 39)) as frames:
        for frame, number in zip(frames, range(38, 1, -1), strict=True):
            assert frame.source_frame == number
            assert np.array_equal(frame.image, every[number].image)


def test_a_truncated_video_has_no_index(tmp_path: Path) -> None:
    path = _encode(tmp_path, "mkv", "libx264", {"g": "10"})
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with open_video(path) as source, pytest.raises(BadMedia, match="truncated"):
        source.index()


def test_a_damaged_frame_is_named(tmp_path: Path, make_video: MakeVideo) -> None:
    path = make_video(tmp_path / "video.mp4", frames=30)
    with open_video(path) as source:
        index = source.index()
    damaged = bytearray(path.read_bytes())
    start, end = damaged.find(b"mdat") + 4, len(damaged)
    damaged[(start + 3 * end) // 4 : end] = bytes(end - (start + 3 * end) // 4)
    path.write_bytes(bytes(damaged))
    with open_video(path) as source, pytest.raises(BadMedia, match="frame"):
        list(source.frames_at(index, [25]))
