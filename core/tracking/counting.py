"""What passes through the tracking of a video, counted: frames, objects, and prompts that found something."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field

from core.formats.objects_csv import TrackedObject
from core.formats.tracks import FrameRecord, ObjectRecord, Shot, VideoHead
from core.progress import Progress
from core.prompts import ObjectPrompt
from core.tracking.prompt_check import PromptProblem, beyond, problem_of
from core.video.frames import Frame, FrameSource
from core.video.sampling import WHOLE, Part


@dataclass
class Steps:
    """How far the tracking is; reported with every frame read, which may be far apart from those tracked."""

    report: Progress
    done: int = 0
    expected: int | None = None

    def send(self) -> None:
        """Report it."""
        self.report(self.done, self.expected)


class Counts(BaseModel):
    """Everything counted so far.

    Attributes:
        frames: processed ones.
        first_s, last_s: when the first and the last of them are shown.
        objects: by id.
        answered: id and source frame of each prompt whose object was seen there.
        shots: between cuts.
    """

    model_config = ConfigDict(extra="forbid")
    frames: int = 0
    first_s: float = 0.0
    last_s: float = 0.0
    objects: dict[int, TrackedObject] = Field(default_factory=dict)
    answered: set[tuple[int, int]] = Field(default_factory=set)
    shots: list[Shot] = Field(default_factory=list)


class Counter:
    """Counts what passes through the loop, and reports it.

    Args:
        source: the video.
        fps, part: as they are processed.
        steps: what is reported.
        prompts: those that are used.
        before: what was counted until the tracking was interrupted.
    """

    def __init__(
        self,
        source: FrameSource,
        fps: float | None,
        part: Part,
        steps: Steps,
        prompts: Sequence[ObjectPrompt],
        before: Counts | None,
    ) -> None:
        self._source = source
        self._part = part
        self._prompts = {(one.obj_id, one.source_frame): one for one in prompts if one.prompt is not None}
        self._fps = fps
        self._steps = steps
        self.counts = before or Counts()

    def _expected(self) -> int | None:
        info = self._source.info
        fps = info.fps if self._fps is None else min(self._fps, info.fps)
        if self._part == WHOLE and fps == info.fps:
            return info.declared_frames
        ends = [end_s for end_s in (info.duration_s, self._part.end_s) if end_s is not None]
        return round((min(ends) - self._part.start_s) * fps) if info.duration_s is not None else None

    def watch_frames(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        """The frames, on their way to the loop."""
        counts = self.counts
        for frame in frames:
            if counts.frames == 0:
                counts.first_s = frame.time_s
            counts.last_s = frame.time_s
            self._note_shot(frame)
            yield frame
            counts.frames += 1
            self._steps.done, self._steps.expected = counts.frames, self._expected()
            self._steps.send()

    def _note_shot(self, frame: Frame) -> None:
        shots, time_s = self.counts.shots, round(frame.time_s, 6)
        known = bool(shots) and shots[-1].first_frame == frame.source_frame  # noted before the tracking was interrupted
        if not known and (frame.begins_shot or not shots):
            shots.append(Shot(first_frame=frame.source_frame, last_frame=0, first_s=time_s, last_s=0.0))
        shots[-1] = shots[-1].model_copy(update={"last_frame": frame.source_frame, "last_s": time_s})

    def watch_records(self, records: Iterator[FrameRecord]) -> Iterator[FrameRecord]:
        """The records, on their way from the loop."""
        for record in records:
            for one in record.objects:
                note_object(self.counts.objects, record, one)
                place = (one.obj_id, record.source_frame)
                if place in self._prompts:
                    self.counts.answered.add(place)
            yield record

    def unanswered(self) -> list[PromptProblem]:
        """Prompts that came to nothing: beyond the end, or nothing was found where they point."""
        ended = self._source.frames_read
        return [
            problem_of(one, "nothing is found there" if one.source_frame < ended else beyond(ended))
            for place, one in self._prompts.items()
            if place not in self.counts.answered
        ]

    def head(self) -> VideoHead:
        """The video as it was processed."""
        info, counts = self._source.info, self.counts
        declared = 0 if self._part == WHOLE else info.declared_frames or 0  # a part says nothing of the rest
        span_s = counts.last_s - counts.first_s
        rate = (counts.frames - 1) / span_s if span_s > 0 else min(self._fps or info.fps, info.fps)
        return VideoHead(
            width=info.width,
            height=info.height,
            original_fps=round(info.fps, 6),
            process_fps=round(rate, 6),
            total_frames=max(self._source.frames_read, declared),
            shots=tuple(counts.shots),
        )


def note_object(objects: dict[int, TrackedObject], frame: FrameRecord, one: ObjectRecord) -> None:
    """Count one more sight of an object, on a frame after those before."""
    known = objects.get(one.obj_id)
    if known is None:
        known = objects[one.obj_id] = TrackedObject(
            obj_id=one.obj_id, label=one.label, first_frame=frame.source_frame, last_frame=frame.source_frame,
            first_s=frame.time_s, last_s=frame.time_s, frames=0, mean_score=0.0, detection_score=one.detection_score,
        )  # fmt: skip
    known.frames += 1
    known.last_frame, known.last_s = frame.source_frame, frame.time_s
    known.mean_score += (one.score - known.mean_score) / known.frames
