"""What is cut off is reported; what only looks shorter than its header says is sound."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from conftest import MakeVideo, moving_square

from core.errors import BadMedia
from core.video.promised import missing_bytes
from core.video.source import open_video


def _write(
    path: Path, frames: int = 60, start: int = 0, keep: Callable[[int], bool] = lambda _: True, **container: str
) -> Path:
    with av.open(str(path), "w", options=container) as out:
        stream = out.add_stream("libx264", rate=30, options={"g": "15", "bf": "0"})
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        for index, image in enumerate(moving_square(frames)):
            if keep(index):
                frame = av.VideoFrame.from_ndarray(image, format="rgb24")
                frame.time_base, frame.pts = Fraction(1, 30), start + index
                out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def _read(path: Path) -> list[float]:
    with open_video(path) as video:
        times = [frame.time_s for frame in video.frames()]
    with open_video(path) as video:
        assert video.index().times_s.tolist() == pytest.approx(times)
    return times


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts", "mov"])
def test_a_stream_that_starts_late_is_whole(suffix: str, tmp_path: Path) -> None:
    times = _read(_write(tmp_path / f"late.{suffix}", start=150))
    assert len(times) == 60
    assert times[0] == 0
    assert times[-1] == pytest.approx(59 / 30, abs=0.002)


def test_an_avi_that_left_frames_out_is_whole(tmp_path: Path) -> None:
    times = _read(_write(tmp_path / "third.avi", keep=lambda index: index % 3 == 0))
    assert times == pytest.approx([index / 10 for index in range(20)])
    with open_video(tmp_path / "third.avi") as video:
        assert [f.source_frame for f in video.frames(fps=5)] == list(range(0, 20, 2))
        assert video.info.fps == pytest.approx(10)


def test_an_edit_list_that_hides_the_start_is_whole(tmp_path: Path) -> None:
    source = _write(tmp_path / "whole.mp4")
    with av.open(str(source)) as container, av.open(str(tmp_path / "cut.mp4"), "w") as out:
        stream = container.streams.video[0]
        copy = out.add_stream_from_template(stream)
        for packet in container.demux(stream):
            if packet.dts is not None and packet.pts is not None:
                packet.pts, packet.dts = packet.pts - 30 * 512, packet.dts - 30 * 512
                packet.stream = copy
                out.mux(packet)
    assert len(_read(tmp_path / "cut.mp4")) == 30


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "avi", "mov"])
@pytest.mark.parametrize("share", [0.3, 0.9])
def test_a_file_that_was_cut_off_is_not(suffix: str, share: float, tmp_path: Path) -> None:
    options = {"movflags": "+faststart"} if suffix in ("mp4", "mov") else {}
    path = tmp_path / f"cut.{suffix}"
    with av.open(str(path), "w", options=options) as out:
        stream = out.add_stream("libx264", rate=30, options={"g": "15", "bf": "2"})
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        for index in range(90):
            noise = np.random.default_rng(index).integers(0, 255, (64, 96, 3), np.uint8)
            out.mux(stream.encode(av.VideoFrame.from_ndarray(noise, format="rgb24")))
        out.mux(stream.encode(None))
    assert missing_bytes(path) == 0
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    assert missing_bytes(path)
    for read in (lambda video: list(video.frames()), lambda video: video.index()):
        with open_video(path) as video, pytest.raises(BadMedia, match="truncated"):
            read(video)


def test_rubbish_behind_a_file_harms_nobody(tmp_path: Path, make_video: MakeVideo) -> None:
    path = make_video(tmp_path / "a.mp4", frames=12)
    path.write_bytes(path.read_bytes() + bytes(range(256)))
    assert len(_read(path)) == 12


def test_the_film_is_chosen_not_the_cover_picture(shared_data: Path) -> None:
    with open_video(shared_data / "faults" / "video" / "cover_mut.mp4") as video:
        assert (video.info.width, video.info.height, video.info.fps) == (160, 120, 30)
        assert len(list(video.frames())) == 60


def test_joined_recordings_are_bridged(tmp_path: Path) -> None:
    first = _write(tmp_path / "a.ts", frames=40).read_bytes()
    for second_start in (0, 900, 90_000):
        second = _write(tmp_path / "b.ts", frames=40, start=second_start).read_bytes()
        (tmp_path / "joined.ts").write_bytes(first + second)
        times = _read(tmp_path / "joined.ts")
        assert times == pytest.approx([index / 30 for index in range(80)], abs=0.002)


def test_leading_frames_of_an_open_group_that_cannot_be_shown_are_not_counted(tmp_path: Path) -> None:
    path = tmp_path / "open.ts"
    with av.open(str(path), "w") as out:
        options = {"g": "10", "bf": "3", "x264-params": "open-gop=1:b-adapt=0:scenecut=0"}
        stream = out.add_stream("libx264", rate=30, options=options)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        for image in moving_square(60):
            out.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        out.mux(stream.encode(None))
    cut = tmp_path / "cut.ts"
    with av.open(str(path)) as container, av.open(str(cut), "w") as out:
        source = container.streams.video[0]
        copy = out.add_stream_from_template(source)
        keys = 0
        for packet in container.demux(source):
            keys += packet.is_keyframe
            if packet.size and keys > 1:
                packet.stream = copy
                out.mux(packet)
    with open_video(cut) as video:
        every = list(video.frames())
    with open_video(cut) as video:
        index = video.index()
    assert len(index) == len(every)
    with open_video(cut) as video:
        for frame in video.frames_at(index, range(0, len(every), 5)):
            assert np.array_equal(frame.image, every[frame.source_frame].image)
