import os
import struct
import wave
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from conftest import MakeVideo

from core.errors import BadMedia
from core.video.file import VideoFile
from core.video.source import open_video


def test_frames_come_in_order_with_index_and_time(tmp_path: Path, make_video: MakeVideo) -> None:
    with open_video(make_video(tmp_path / "a.mp4", frames=25, fps=25)) as video:
        frames = list(video.frames())
        assert (video.info.width, video.info.height, video.info.fps) == (96, 64, 25)
    assert [f.source_frame for f in frames] == list(range(25))
    assert [f.time_s for f in frames] == pytest.approx([i / 25 for i in range(25)], abs=1e-4)
    assert video.frames_read == 25
    # The square is red: the first channel is the red one.
    assert frames[0].image[32, 15, 0] > 150 > 80 > frames[0].image[32, 15, 2]


def test_sampling_maps_to_source_frames(tmp_path: Path, make_video: MakeVideo) -> None:
    with open_video(make_video(tmp_path / "a.mp4", frames=60, fps=30)) as video:
        assert [f.source_frame for f in video.frames(fps=5)] == list(range(0, 60, 6))
        assert video.frames_read == 60


def test_variable_frame_rate_is_sampled_by_time(tmp_path: Path) -> None:
    path = tmp_path / "vfr.mkv"
    times_ms = [*range(0, 1000, 20), *range(1000, 3000, 200)]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=50)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        for time_ms in times_ms:
            frame = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")
            frame.pts, frame.time_base = time_ms, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with VideoFile(path) as video:
        times = [f.time_s for f in video.frames(fps=5)]
    assert times == pytest.approx([0.2 * i for i in range(15)], abs=0.011)


def test_scaling_at_decode(tmp_path: Path, make_video: MakeVideo) -> None:
    with open_video(make_video(tmp_path / "a.mp4")) as video:
        assert next(iter(video.frames(max_side=48))).image.shape == (32, 48, 3)


def test_rotation_is_applied(tmp_path: Path, make_video: MakeVideo) -> None:
    upright = make_video(tmp_path / "a.mp4")
    data = bytearray(upright.read_bytes())
    # The display matrix of the track header: a quarter turn to the right.
    identity = struct.pack(">9i", 65536, 0, 0, 0, 65536, 0, 0, 0, 1 << 30)
    at = data.rfind(identity)
    data[at : at + 36] = struct.pack(">9i", 0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30)
    (tmp_path / "turned.mp4").write_bytes(data)
    with open_video(upright) as video, open_video(tmp_path / "turned.mp4") as turned:
        assert (turned.info.width, turned.info.height) == (64, 96)
        expected = np.rot90(next(iter(video.frames())).image, -1)
        assert np.array_equal(next(iter(turned.frames())).image, expected)


def _empty(path: Path, video: bytes) -> None:
    path.write_bytes(b"")


def _text(path: Path, video: bytes) -> None:
    path.write_text("not a video\n" * 50)


def _noise(path: Path, video: bytes) -> None:
    path.write_bytes(np.random.default_rng(0).bytes(5000))


def _playlist(path: Path, video: bytes) -> None:
    (path.parent / "other.mp4").write_bytes(video)
    path.write_text("ffconcat version 1.0\nfile other.mp4\n")


def _hls(path: Path, video: bytes) -> None:
    path.write_text("#EXTM3U\n#EXTINF:1,\nother.ts\n#EXT-X-ENDLIST\n")


def _truncated(path: Path, video: bytes) -> None:
    path.write_bytes(video[: len(video) * 2 // 3])


def _cut_matroska(path: Path, video: bytes) -> None:
    with av.open(str(path), "w", format="matroska") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        for index in range(100):
            noise = np.random.default_rng(index).integers(0, 255, (64, 64, 3), np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(noise, format="rgb24")))
        container.mux(stream.encode(None))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _other_size(path: Path, video: bytes) -> None:
    with path.open("wb") as joined:
        for side in (64, 96):
            part = path.with_suffix(f".{side}.h264")
            with av.open(str(part), "w", format="h264") as container:
                stream = container.add_stream("libx264", rate=10)
                stream.width, stream.height, stream.pix_fmt = side, side, "yuv420p"
                for _ in range(8):
                    image = np.zeros((side, side, 3), np.uint8)
                    container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
                container.mux(stream.encode(None))
            joined.write(part.read_bytes())


def _audio(path: Path, video: bytes) -> None:
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def _no_frames(path: Path, video: bytes) -> None:
    with av.open(str(path), "w", format="matroska") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        container.start_encoding()


def _folder(path: Path, video: bytes) -> None:
    path.mkdir()


def _pipe(path: Path, video: bytes) -> None:
    os.mkfifo(path)


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (_empty, "empty file"),
        (_text, "not a video file"),
        (_noise, "not a video file"),
        (_playlist, "not a video file"),
        (_hls, "not a video file"),
        (_truncated, "corrupt or truncated after frame|not a video file"),
        (_cut_matroska, "truncated: it ends after|corrupt or truncated"),
        (_other_size, "frame 8 is 96x96, the first is 64x64"),
        (_audio, "no video stream"),
        (_no_frames, "without a single frame|cannot be decoded|not a video file|no picture"),
        (_folder, "no image in this folder"),
        (_pipe, "not a regular file"),
    ],
)
def test_bad_files_are_refused_with_the_reason(
    tmp_path: Path, make_video: MakeVideo, spoil: object, reason: str
) -> None:
    path = tmp_path / "bad.mp4"
    assert callable(spoil)
    spoil(path, make_video(tmp_path / "good.mp4", frames=40).read_bytes())
    with pytest.raises(BadMedia, match=reason), open_video(path) as video:
        list(video.frames())


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(BadMedia, match="no such file"):
        open_video(tmp_path / "none.mp4")


def test_an_absurdly_large_picture_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    path = tmp_path / "large.avi"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("rawvideo", rate=1)
        stream.width, stream.height, stream.pix_fmt = 16, 16, "bgr24"
        container.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((16, 16, 3), np.uint8), format="bgr24")))
    data = path.read_bytes()
    # BITMAPINFOHEADER: its own size, then width and height.
    header, huge = struct.pack("<3i", 40, 16, -16), struct.pack("<3i", 40, 9000, -9000)
    assert header in data
    path.write_bytes(data.replace(header, huge))
    with pytest.raises(BadMedia, match="9000x9000 pixels a frame, more than"):
        VideoFile(path)


def test_wav_is_no_video(tmp_path: Path) -> None:
    with wave.open(str(tmp_path / "a.wav"), "wb") as audio:
        audio.setnchannels(1)
        audio.setsampwidth(2)
        audio.setframerate(8000)
        audio.writeframes(bytes(16000))
    with pytest.raises(BadMedia):
        VideoFile(tmp_path / "a.wav")


def test_damage_in_the_middle_concerns_only_the_frames_that_need_it(tmp_path: Path, make_video: MakeVideo) -> None:
    """The index is there, and what lies before the damage comes out."""
    path = make_video(tmp_path / "a.mp4", frames=100)
    with VideoFile(path) as video:
        whole = [frame.image for frame in video.frames()]
    data = bytearray(path.read_bytes())
    damaged = len(data) * 3 // 4
    data[damaged : damaged + 200] = bytes(200)
    path.write_bytes(data)
    with VideoFile(path) as video:
        index = video.index()
        assert len(index) == 100
        assert np.array_equal(next(iter(video.frames_at(index, [20]))).image, whole[20])
    with VideoFile(path) as video, pytest.raises(BadMedia, match="corrupt"):
        list(video.frames())


@pytest.mark.parametrize("missing", [20, 1500])
def test_a_file_that_is_cut_is_refused_by_both_ways_of_reading(
    missing: int, tmp_path: Path, make_video: MakeVideo
) -> None:
    for name in ("a.mp4", "a.mkv"):
        path = make_video(tmp_path / name, frames=60)
        path.write_bytes(path.read_bytes()[:-missing])
        with pytest.raises(BadMedia), open_video(path) as video:
            list(video.frames())
        with pytest.raises(BadMedia), open_video(path) as video:
            video.index()
