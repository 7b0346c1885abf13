"""Tracks of one video, frame by frame: the neutral form everything else is made from.

On disk: `video.json` (the `VideoHead`) and `frames.jsonl`, one `FrameRecord` a line, in order.
"""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

from pydantic import BaseModel, ConfigDict

from core.masks.rle import RLE

HEAD_FILE = "video.json"
FRAMES_FILE = "frames.jsonl"


class ObjectRecord(BaseModel):
    """An object in one frame.

    Attributes:
        obj_id: stable over the whole video, from 1.
        bbox: documented `[x, y, w, h]`, whole pixels of the source, `w = xmax - xmin`.
        label: what the prompt or detector calls it.
        score: how sure the segmenter is of this frame's mask, 0..1.
        detection_score: how sure the detector was at first sight; None for prompts by hand.
        rle: the mask.
    """

    model_config = ConfigDict(frozen=True)
    obj_id: int
    bbox: tuple[int, int, int, int]
    label: str | None
    score: float
    detection_score: float | None
    rle: RLE


class FrameRecord(BaseModel):
    """One processed frame: `frame_idx` counts processed frames, `source_frame` frames of the source, both from 0."""

    model_config = ConfigDict(frozen=True)
    frame_idx: int
    source_frame: int
    time_s: float
    objects: list[ObjectRecord]


class Shot(BaseModel):
    """What was filmed in one go, between two cuts: its first and last processed frame, and when they are shown."""

    model_config = ConfigDict(frozen=True)
    first_frame: int
    last_frame: int
    first_s: float
    last_s: float


class VideoHead(BaseModel):
    """The documented `video_info`: sizes of the source, its rate, the rate really processed, its real length; and its
    shots, in order; none where they were not looked for."""

    model_config = ConfigDict(frozen=True)
    width: int
    height: int
    original_fps: float
    process_fps: float
    total_frames: int
    shots: tuple[Shot, ...] = ()


def write_frames(stream: IO[str], frames: Iterable[FrameRecord]) -> None:
    """Write a line per frame as they come; memory does not grow with their number."""
    for frame in frames:
        stream.write(frame.model_dump_json() + "\n")


def read_frames(folder: Path) -> Iterator[FrameRecord]:
    """The frames of a tracked video's folder, one at a time."""
    with (folder / FRAMES_FILE).open(encoding="utf-8") as stream:
        for line in stream:
            yield FrameRecord.model_validate_json(line)


def read_moments(folder: Path) -> Iterator[tuple[int, float]]:
    """Source frame and time of each frame of a tracked video's folder, without reading their objects."""
    with (folder / FRAMES_FILE).open(encoding="utf-8") as stream:
        for line in stream:
            moment = json.loads(line[: line.index(',"objects":')] + "}")
            yield moment["source_frame"], moment["time_s"]


def write_head(folder: Path, head: VideoHead) -> None:
    """Write a tracked video's `video.json`."""
    (folder / HEAD_FILE).write_text(json.dumps(head.model_dump()), encoding="utf-8")


def read_head(folder: Path) -> VideoHead:
    """Read a tracked video's `video.json`."""
    return VideoHead.model_validate_json((folder / HEAD_FILE).read_bytes())
