"""The work of one item: track one video into a folder. Runs in a device worker; knows nothing of Prefect."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from core.errors import BadMedia
from core.formats.objects_csv import TrackedObject
from core.formats.prompts import PromptEntry
from core.formats.tracks import FRAMES_FILE, FrameRecord, ObjectRecord, VideoHead, write_frames, write_head
from core.item import Record, item
from core.models.registry import DETECTORS, SEGMENTERS
from core.models.roles import DetectorSession
from core.models.spec import ModelSpec
from core.progress import Progress
from core.prompts import ObjectPrompt
from core.tracking.given_detections import GivenDetections
from core.tracking.loop import track_frames
from core.tracking.prompt_check import PromptProblem, beyond, problem_of, usable_prompts
from core.tracking.tracker import Tracker
from core.video.frames import Frame, FrameSource
from core.video.sampling import WHOLE, Part
from core.video.source import open_video, read_ahead

_READ_AHEAD = 4


class TrackVideoRequest(BaseModel):
    """What to track in one video, and how: what a detector finds by a text, `detections` from a file (see
    `core.formats.detections_jsonl`) of which those over `min_score` start objects, or prompts."""

    model_config = ConfigDict(frozen=True)
    video: Path
    text_prompt: str | None = None
    prompts: list[PromptEntry] = Field(default_factory=list)
    detections: Path | None = None
    min_score: float = Field(default=0.3, ge=0, le=1)
    detector: ModelSpec | None = None
    segmenter: ModelSpec
    detection_frequency: int = Field(ge=1)
    max_frames: int = Field(ge=1)
    fps: float | None = Field(default=None, gt=0)
    part: Part = WHOLE
    max_objects: int | None = Field(default=None, ge=1)


@item(TrackVideoRequest)
def track_video(request: TrackVideoRequest, folder: Path, report: Progress) -> Record:
    """Track one video; leaves `video.json` and `frames.jsonl` in `folder`.

    A prompt that cannot be used costs only its object; where none can be used, the video has failed.

    Returns:
        frames, objects, seconds, `summary`: a `TrackedObject` of each, and `problems`: a `PromptProblem` of each.

    Raises:
        BadMedia: the video cannot be used; the message says why.
    """
    given = None if request.detections is None else GivenDetections(request.detections, request.min_score)
    detector: DetectorSession | None = given
    if request.detector is not None:
        detector = DETECTORS.load(request.detector).start(request.text_prompt or "")
    steps = _Steps(report)
    with open_video(request.video, steps.send) as source:
        prompts, problems = usable_prompts(request.prompts, source.info, request.video, steps.send, request.part)
        if request.prompts and not prompts:
            raise BadMedia(f"none of its prompts can be used: {problems[0].where}: {problems[0].what}")
        segmenter = SEGMENTERS.load(request.segmenter).start()
        tracker = Tracker(segmenter, detector, request.detection_frequency, request.max_objects)
        progress = _Progress(source, request.fps, request.part, steps, prompts)
        also = frozenset(one.source_frame for one in prompts)
        frames = source.frames(request.fps, also=also, part=request.part)
        with read_ahead(frames, min(_READ_AHEAD, request.max_frames)) as ahead:
            watched = progress.watch_frames(ahead if given is None else given.watch(ahead))
            records = track_frames(watched, tracker, prompts, request.max_frames)
            write_frames(folder / FRAMES_FILE, progress.watch_records(records))
        if progress.frames == 0 and request.part != WHOLE:
            raise BadMedia(f"no frame is shown {request.part}: the video is shorter")
        write_head(folder, progress.head())
    problems += progress.unanswered()
    return {
        "frames": progress.frames,
        "objects": len(progress.objects),
        "summary": [one.model_dump() for one in progress.objects.values()],
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

    def __init__(
        self, source: FrameSource, fps: float | None, part: Part, steps: _Steps, prompts: Sequence[ObjectPrompt]
    ) -> None:
        self._source = source
        self._part = part
        self._unanswered = {(one.obj_id, one.source_frame): one for one in prompts if one.prompt is not None}
        self._fps = fps
        self._steps = steps
        self.frames = 0
        self.objects: dict[int, TrackedObject] = {}
        self._first_s = self._last_s = 0.0

    def _expected(self) -> int | None:
        info = self._source.info
        fps = info.fps if self._fps is None else min(self._fps, info.fps)
        if self._part == WHOLE and fps == info.fps:
            return info.declared_frames
        ends = [end_s for end_s in (info.duration_s, self._part.end_s) if end_s is not None]
        return round((min(ends) - self._part.start_s) * fps) if info.duration_s is not None else None

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
                self._note(record, one)
                self._unanswered.pop((one.obj_id, record.source_frame), None)
            yield record

    def _note(self, frame: FrameRecord, one: ObjectRecord) -> None:
        known = self.objects.get(one.obj_id)
        if known is None:
            known = self.objects[one.obj_id] = TrackedObject(
                obj_id=one.obj_id, label=one.label, first_frame=frame.source_frame, last_frame=frame.source_frame,
                first_s=frame.time_s, last_s=frame.time_s, frames=0, mean_score=0.0,
                detection_score=one.detection_score,
            )  # fmt: skip
        known.frames += 1
        known.last_frame, known.last_s = frame.source_frame, frame.time_s
        known.mean_score += (one.score - known.mean_score) / known.frames

    def unanswered(self) -> list[PromptProblem]:
        """Prompts that came to nothing: beyond the end, or nothing was found where they point."""
        ended = self._source.frames_read
        return [
            problem_of(one, "nothing is found there" if one.source_frame < ended else beyond(ended))
            for one in self._unanswered.values()
        ]

    def head(self) -> VideoHead:
        info = self._source.info
        declared = 0 if self._part == WHOLE else info.declared_frames or 0  # a part says nothing of the rest
        span_s = self._last_s - self._first_s
        rate = (self.frames - 1) / span_s if span_s > 0 else min(self._fps or info.fps, info.fps)
        return VideoHead(
            width=info.width,
            height=info.height,
            original_fps=round(info.fps, 6),
            process_fps=round(rate, 6),
            total_frames=max(self._source.frames_read, declared),
        )
