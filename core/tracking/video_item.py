"""The work of one item: track one video into a folder. Runs in a device worker; knows nothing of Prefect."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from core.errors import BadMedia
from core.formats.prompts import PromptEntry
from core.formats.tracks import FRAMES_FILE, FrameRecord, VideoHead, write_frames, write_head
from core.item import Record, item
from core.models.registry import DETECTORS, SEGMENTERS
from core.models.spec import ModelSpec
from core.progress import Progress
from core.prompts import ObjectPrompt
from core.tracking.loop import track_frames
from core.tracking.prompt_check import PromptProblem, beyond, problem_of, usable_prompts
from core.tracking.tracker import Tracker
from core.video.frames import Frame, FrameSource
from core.video.source import open_video, read_ahead

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


@item(TrackVideoRequest)
def track_video(request: TrackVideoRequest, folder: Path, report: Progress) -> Record:
    """Track one video; leaves `video.json` and `frames.jsonl` in `folder`.

    A prompt that cannot be used costs only its object; where none can be used, the video has failed.

    Returns:
        frames, objects, seconds, and `problems`: where and why a prompt was not used, or found nothing.

    Raises:
        BadMedia: the video cannot be used; the message says why.
    """
    detector = (
        DETECTORS.load(request.detector).start(request.text_prompt or "") if request.detector is not None else None
    )
    steps = _Steps(report)
    with open_video(request.video, steps.send) as source:
        given = [one.object_prompt() for one in request.prompts]
        prompts, problems = usable_prompts(given, source.info, request.video, steps.send)
        if request.prompts and not prompts:
            raise BadMedia(f"none of its prompts can be used: {problems[0].where}: {problems[0].what}")
        tracker = Tracker(SEGMENTERS.load(request.segmenter).start(), detector, request.detection_frequency)
        progress = _Progress(source, request.fps, steps, prompts)
        also = frozenset(one.source_frame for one in prompts)
        with read_ahead(source.frames(request.fps, also=also), min(_READ_AHEAD, request.max_frames)) as frames:
            records = track_frames(progress.watch_frames(frames), tracker, prompts, request.max_frames)
            write_frames(folder / FRAMES_FILE, progress.watch_records(records))
        write_head(folder, progress.head())
    problems += progress.unanswered()
    return {
        "frames": progress.frames,
        "objects": len(progress.obj_ids),
        "problems": [problem.model_dump() for problem in problems],
    }


@dataclass
class _Steps:
    """How far the tracking is; reported with every frame read, which may be far apart from those tracked."""

    report: Progress
    done: int = 0
    expected: int | None = None

    def send(self) -> None:
        """Report it."""
        self.report(self.done, self.expected)


class _Progress:
    """Counts what passes through the loop, and reports it."""

    def __init__(self, source: FrameSource, fps: float | None, steps: _Steps, prompts: Sequence[ObjectPrompt]) -> None:
        self._source = source
        self._unanswered = {(one.obj_id, one.source_frame): one for one in prompts}
        self._fps = fps
        self._steps = steps
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
            self._steps.done, self._steps.expected = self.frames, self._expected()
            self._steps.send()

    def watch_records(self, records: Iterator[FrameRecord]) -> Iterator[FrameRecord]:
        for record in records:
            for one in record.objects:
                self.obj_ids.add(one.obj_id)
                self._unanswered.pop((one.obj_id, record.source_frame), None)
            yield record

    def unanswered(self) -> list[PromptProblem]:
        """Prompts that came to nothing: beyond the end, or nothing was found where they point."""
        ended = self._source.frames_read
        return [
            problem_of(one, "nothing is found there" if one.source_frame < ended else beyond(ended))
            for one in self._unanswered.values()
        ]

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
