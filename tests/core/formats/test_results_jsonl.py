import json
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from core.formats.results_jsonl import TrackedVideo, write_results
from core.formats.tracks import FRAMES_FILE, FrameRecord, ObjectRecord, VideoHead, read_frames, write_frames, write_head
from core.masks import rle

_RLE = rle.encode(np.eye(4, dtype=np.bool_))
_objects = st.builds(
    ObjectRecord,
    obj_id=st.integers(1, 5),
    bbox=st.tuples(*[st.integers(0, 99)] * 4),
    label=st.none() | st.text(max_size=5),
    score=st.floats(0, 1),
    detection_score=st.none() | st.floats(0, 1),
    rle=st.just(_RLE),
)
_videos = st.lists(st.lists(_objects, max_size=4, unique_by=lambda one: one.obj_id), max_size=6)


def _folder(folder: Path, video: list[list[ObjectRecord]]) -> Path:
    folder.mkdir(exist_ok=True)
    frames = [
        FrameRecord(frame_idx=i, source_frame=3 * i, time_s=i / 10, objects=objects) for i, objects in enumerate(video)
    ]
    with (folder / FRAMES_FILE).open("w") as stream:
        write_frames(stream, frames)
    assert list(read_frames(folder)) == frames
    write_head(folder, VideoHead(width=9, height=8, original_fps=30, process_fps=10, total_frames=18))
    return folder


def _lines(path: Path) -> list[dict[str, Any]]:
    with path.open(encoding="utf-8") as stream:
        return [json.loads(line) for line in stream]


@given(video=_videos, masks=st.booleans())
def test_both_shapes_tell_the_same(tmp_path_factory: object, video: list[list[ObjectRecord]], masks: bool) -> None:
    root: Path = tmp_path_factory.mktemp("results")  # type: ignore[attr-defined]
    tracked = [TrackedVideo("a/猫\udce9.mp4", "cat\u2028", _folder(root / "item", video))] * 2
    write_results(root / "frames.jsonl", tracked, "frames", masks)
    write_results(root / "objects.jsonl", tracked, "objects", masks)
    by_frame, again = _lines(root / "frames.jsonl")
    assert by_frame == again
    by_object = _lines(root / "objects.jsonl")[0]
    assert by_frame["video_path"] == "a/猫\udce9.mp4"
    assert by_frame["video_info"] == by_object["video_info"]
    assert [frame["frame_idx"] for frame in by_frame["frames"]] == list(range(len(video)))
    boxes = {(f["frame_idx"], o["obj_id"]): (o["bbox"], o["score"]) for f in by_frame["frames"] for o in f["objects"]}
    grouped = {
        (f["frame_idx"], o["obj_id"]): (f["bbox"], f["score"]) for o in by_object["objects"] for f in o["frames"]
    }
    assert boxes == grouped
    assert all(("segmentation" in one) == masks for frame in by_frame["frames"] for one in frame["objects"])


def test_each_line_is_json_with_the_documented_keys(tmp_path: Path) -> None:
    one = ObjectRecord(obj_id=1, bbox=(1, 2, 3, 4), label="猫", score=0.5, detection_score=0.9, rle=_RLE)
    folder = _folder(tmp_path / "item", [[], [one]])
    write_results(tmp_path / "r.jsonl", [TrackedVideo("猫.mp4", "cat", folder)], "frames", masks=False)
    text = (tmp_path / "r.jsonl").read_text(encoding="utf-8")
    assert "猫" in text
    line = json.loads(text)
    assert list(line) == ["video_path", "text_prompt", "video_info", "frames"]
    assert line["frames"][0] == {"frame_idx": 0, "source_frame": 0, "time_s": 0.0, "objects": []}
    assert line["frames"][1]["objects"] == [
        {"obj_id": 1, "bbox": [1, 2, 3, 4], "label": "猫", "score": 0.5, "detection_score": 0.9}
    ]
    write_results(tmp_path / "o.jsonl", [TrackedVideo("猫.mp4", "cat", folder)], "objects", masks=True)
    by_object = json.loads((tmp_path / "o.jsonl").read_text(encoding="utf-8"))["objects"]
    assert [(one["obj_id"], one["label"], one["score"]) for one in by_object] == [(1, "猫", 0.9)]
    assert by_object[0]["frames"][0]["segmentation"] == _RLE
