"""The work of one item: track one video into a folder. Runs in a device worker; knows nothing of Prefect."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from core.errors import BadMedia
from core.formats.prompts import PromptEntry
from core.formats.tracks import FRAMES_FILE, FrameRecord, VideoHead, write_frames, write_head
from core.masks.boxes import clip_box
from core.models.registry import load_detector, load_segmenter
from core.models.spec import ModelSpec
from core.tracking.loop import ObjectPrompt, track_frames
from core.tracking.tracker import Tracker
from core.video.frames import Frame, FrameSource
from core.video.source import open_video, read_ahead

Report = Callable[[int, int | None], None]
_READ_AHEAD = 4


class TrackVideoRequest(BaseModel):
    """What to track in one video, and how."""

    model_config = ConfigDict(frozen=True)
    video: Path
    text_prompt: str | None = None
    prompts: list[PromptEntry] = Field(default_factory=list)
    detector: ModelSpec | None = None
    segmenter: ModelSpec
    detection_frequency: int = Field(ge=1)
    max_frames: int = Field(ge=1)
    fps: float | None = Field(default=None, gt=0)


def track_video(request: dict[str, Any], folder: Path, report: Report) -> dict[str, Any]:
    """Track one video; leaves `video.json` and `frames.jsonl` in `folder`.

    Args:
        request: a `TrackVideoRequest` as JSON-able values.
        folder: where the outputs go.
        report: told frames done and frames expected (None: unknown).

    Returns:
        frames, objects and seconds.

    Raises:
        BadMedia: the video cannot be used; the message says why.
    """
    asked = TrackVideoRequest.model_validate(request)
    started = time.monotonic()
    detector = load_detector(asked.detector).start(asked.text_prompt or "") if asked.detector is not None else None
    with open_video(asked.video) as source:
        tracker = Tracker(load_segmenter(asked.segmenter).start(), detector, asked.detection_frequency)
        prompts = [entry.object_prompt() for entry in asked.prompts]
        for one in prompts:
            _check_place(one, source)
        progress = _Progress(source, asked.fps, report)
        with read_ahead(source.frames(asked.fps), min(_READ_AHEAD, asked.max_frames)) as frames:
            records = track_frames(progress.watch_frames(frames), tracker, prompts, asked.max_frames)
            write_frames(folder / FRAMES_FILE, progress.watch_records(records))
        write_head(folder, progress.head())
    return {"frames": progress.frames, "objects": len(progress.obj_ids), "seconds": time.monotonic() - started}


def _check_place(one: ObjectPrompt, source: FrameSource) -> None:
    """Raises `BadMedia` for a prompt of which nothing is in the picture."""
    width, height = source.info.width, source.info.height
    box, mask = one.prompt.box, one.prompt.mask
    if mask is not None and mask.shape != (height, width):
        raise BadMedia(f"the mask of object {one.obj_id} is {mask.shape[1]}x{mask.shape[0]}, not {width}x{height}")
    points = any(0 <= x < width and 0 <= y < height for x, y, positive in one.prompt.points if positive)
    if mask is None and not points and (box is None or clip_box(box, width, height) is None):
        raise BadMedia(f"the prompt of object {one.obj_id} lies outside the picture of {width}x{height}")


class _Progress:
    """Counts what passes through the loop, and tells about it."""

    def __init__(self, source: FrameSource, fps: float | None, report: Report) -> None:
        self._source = source
        self._fps = fps
        self._report = report
        self.frames = 0
        self.obj_ids: set[int] = set()
        self._first_s = self._last_s = 0.0

    def _expected(self) -> int | None:
        info = self._source.info
        if self._fps is not None and info.duration_s is not None and self._fps < info.fps:
            return round(info.duration_s * self._fps)
        return info.declared_frames

    def watch_frames(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        for frame in frames:
            if self.frames == 0:
                self._first_s = frame.time_s
            self._last_s = frame.time_s
            yield frame
            self.frames += 1
            self._report(self.frames, self._expected())

    def watch_records(self, records: Iterator[FrameRecord]) -> Iterator[FrameRecord]:
        for record in records:
            self.obj_ids.update(one.obj_id for one in record.objects)
            yield record

    def head(self) -> VideoHead:
        info = self._source.info
        span_s = self._last_s - self._first_s
        rate = (self.frames - 1) / span_s if span_s > 0 else min(self._fps or info.fps, info.fps)
        return VideoHead(
            width=info.width,
            height=info.height,
            original_fps=round(info.fps, 6),
            process_fps=round(rate, 6),
            total_frames=self._source.frames_read,
        )
