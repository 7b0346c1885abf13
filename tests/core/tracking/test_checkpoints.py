"""A tracking that is interrupted anywhere goes on from its last checkpoint, to the same bytes."""

from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from conftest import MakeVideo, moving_square, write_moving_square, write_shots
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from core.formats.detections_jsonl import write_detections
from core.formats.exchange.model import SeenFrame, SeenObject
from core.formats.tracks import FRAMES_FILE, HEAD_FILE, read_head
from core.tracking.video_item import track_video
from core.video.source import open_video
from core.video.writer import write_video


class Killed(BaseException):
    """Stands for the end of the process."""


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A square that comes, goes and comes back."""
    there = list(moving_square(24, 96, 64, seed=0))
    empty = np.full_like(there[0], 90)
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    with write_video(path, 10, 96, 64) as video:
        for number, image in enumerate([*there[:10], *[empty] * 4, *there[14:]]):
            video.write(image, number / 10)
    return path


def _request(video: Path, **changes: Any) -> dict[str, Any]:
    request = {
        "video": str(video), "text_prompt": "red square. motion", "detector": {"backend": "classical"},
        "segmenter": {"backend": "classical"}, "detection_frequency": 2, "max_frames": 60, "checkpoint_s": 0,
    }  # fmt: skip
    return {**request, **changes}


def _track(request: dict[str, Any], folder: Path, begun: Path | None, until: int | None = None) -> dict[str, Any]:
    folder.mkdir()

    def report(done: int, expected: int | None) -> None:
        if until is not None and done >= until:
            raise Killed

    record = track_video(request, folder, report, begun)
    return {name: value for name, value in record.items() if name != "seconds"}


def _bytes(folder: Path) -> list[bytes]:
    return [(folder / name).read_bytes() for name in (FRAMES_FILE, HEAD_FILE)]


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes", [{}, {"fps": 8}, {"text_prompt": None, "detector": None, "prompts": [
        {"obj_id": 3, "frame": 4, "box": [16, 22, 36, 42]}, {"obj_id": 1, "frame": 16, "box": [40, 22, 60, 42]},
        {"obj_id": 3, "frame": 20, "gone": True}, {"obj_id": 9, "frame": 999, "box": [1, 1, 9, 9]},
    ]}],
    ids=["text", "sampled", "prompts"],
)  # fmt: skip
def test_killed_again_and_again_the_bytes_are_the_same(changes: dict[str, Any], clip: Path, tmp_path: Path) -> None:
    request = _request(clip, **changes)
    whole = _track(request, tmp_path / "whole", None)
    begun = tmp_path / "begun"
    for number, until in enumerate((2, 7, 8, 13)):
        with pytest.raises(Killed):
            _track(request, tmp_path / str(number), begun, until)
        assert [one.name for one in begun.iterdir() if one.is_dir()] != []
    assert _track(request, tmp_path / "again", begun) == whole
    assert _bytes(tmp_path / "again") == _bytes(tmp_path / "whole")
    assert len(whole["summary"]) >= 1


@pytest.mark.slow
@pytest.mark.parametrize("until", range(7, 11))
def test_killed_at_a_cut_the_bytes_are_the_same(until: int, tmp_path: Path) -> None:
    request = _request(write_shots(tmp_path / "shots.mp4", seeds=(1, 2), frames=8), text_prompt="red square")
    whole = _track(request, tmp_path / "whole", None)
    with pytest.raises(Killed):
        _track(request, tmp_path / "killed", tmp_path / "begun", until)
    assert _track(request, tmp_path / "again", tmp_path / "begun") == whole
    assert _bytes(tmp_path / "again") == _bytes(tmp_path / "whole")
    assert [shot.first_frame for shot in read_head(tmp_path / "whole").shots] == [0, 8]


@pytest.mark.slow
def test_only_what_follows_the_checkpoint_is_tracked_again(clip: Path, tmp_path: Path) -> None:
    request, begun = _request(clip), tmp_path / "begun"
    with pytest.raises(Killed):
        _track(request, tmp_path / "a", begun, 15)
    steps: list[int] = []
    (tmp_path / "b").mkdir()
    track_video(request, tmp_path / "b", lambda done, _: steps.append(done), begun)
    assert min(step for step in steps if step) in (14, 15)


@pytest.mark.slow
@pytest.mark.parametrize("spoil", ["tracker.safetensors", "session.safetensors", "state.json", "frames"])
def test_a_damaged_checkpoint_costs_time_and_nothing_else(spoil: str, make_video: MakeVideo, tmp_path: Path) -> None:
    request = _request(make_video(tmp_path / "a.mp4", frames=20, fps=10), text_prompt="red square")
    whole = _track(request, tmp_path / "whole", None)
    begun = tmp_path / "begun"
    with pytest.raises(Killed):
        _track(request, tmp_path / "a", begun, 12)
    (folder,) = (one for one in begun.iterdir() if one.is_dir())
    if spoil == "frames":
        (begun / FRAMES_FILE).write_bytes(b"")
    else:
        (folder / spoil).write_bytes((folder / spoil).read_bytes()[:-7])
    assert _track(request, tmp_path / "b", begun) == whole
    assert _bytes(tmp_path / "b") == _bytes(tmp_path / "whole")


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["images", "given", "webm", "every third"])
def test_whatever_the_video_and_the_detections_come_from(kind: str, clip: Path, tmp_path: Path) -> None:
    request = _request(clip)
    if kind == "images":
        request["video"] = str(tmp_path / "images")
        (tmp_path / "images").mkdir()
        with open_video(clip) as source:
            for frame in source.frames():
                Image.fromarray(frame.image).save(tmp_path / "images" / f"{frame.source_frame:03}.png")
    elif kind == "given":
        found = [SeenFrame(n, n / 10, (SeenObject(1, "red", (8 + 2 * n, 22, 28 + 2 * n, 42), 0.9),)) for n in range(10)]
        write_detections(tmp_path / "detections.jsonl", found)
        request |= {"text_prompt": None, "detector": None, "detections": str(tmp_path / "detections.jsonl")}
    elif kind == "webm":
        request["video"] = str(_as_vp9(clip, tmp_path / "clip.webm"))
    else:
        request |= {"detection_frequency": 3, "max_objects": 1}
    whole = _track(request, tmp_path / "whole", None)
    for number, until in enumerate((5, 12)):
        with pytest.raises(Killed):
            _track(request, tmp_path / str(number), tmp_path / "begun", until)
    assert _track(request, tmp_path / "again", tmp_path / "begun") == whole
    assert _bytes(tmp_path / "again") == _bytes(tmp_path / "whole")
    assert whole["objects"] >= 1


def _as_vp9(clip: Path, path: Path) -> Path:
    with av.open(str(path), "w") as out, open_video(clip) as source:
        stream = out.add_stream("libvpx-vp9", rate=10)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        for frame in source.frames():
            out.mux(stream.encode(av.VideoFrame.from_ndarray(frame.image, format="rgb24")))
        out.mux(stream.encode(None))
    return path


@pytest.mark.slow
@settings(max_examples=5, deadline=None)
@given(kills=st.lists(st.integers(1, 19), max_size=4, unique=True).map(sorted))
def test_wherever_it_is_killed(kills: list[int], tmp_path_factory: pytest.TempPathFactory) -> None:
    place = tmp_path_factory.mktemp("kills")
    request = _request(write_moving_square(place / "a.mp4", frames=20, fps=10), text_prompt="red square. motion")
    whole = _track(request, place / "whole", None)
    for number, until in enumerate(kills):
        with pytest.raises(Killed):
            _track(request, place / str(number), place / "begun", until)
    assert _track(request, place / "again", place / "begun") == whole
    assert _bytes(place / "again") == _bytes(place / "whole")
    assert np.all([(place / "again" / name).exists() for name in (FRAMES_FILE, HEAD_FILE)])
