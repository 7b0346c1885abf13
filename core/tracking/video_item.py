"""The work of one item: track one video into a folder. Runs in a device worker; knows nothing of Prefect."""

import logging
from bisect import bisect_right
from collections.abc import Collection, Iterator
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from core.errors import BadMedia, UnsafeFile
from core.formats.prompts import PromptEntry
from core.formats.tracks import FRAMES_FILE, write_frames, write_head
from core.item import Record, item
from core.models.registry import DETECTORS, SEGMENTERS
from core.models.roles import DetectorSession
from core.models.spec import ModelSpec
from core.progress import Progress
from core.tracking.checkpoint import EVERY_S, Checkpoint, Checkpoints
from core.tracking.counting import Counter, Steps
from core.tracking.given_detections import GivenDetections
from core.tracking.loop import TrackingLoop
from core.tracking.prompt_check import usable_prompts
from core.tracking.tracker import Tracker
from core.tracking.tracker_state import restore_tracker
from core.video.frames import Frame, FrameSource
from core.video.sampling import WHOLE, Part, TimeSampler
from core.video.shots import BEFORE, mark_cuts
from core.video.source import open_video, read_ahead

_log = logging.getLogger("maskflow.tracking")
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
    checkpoint_s: float = Field(default=EVERY_S, ge=0)


@item(TrackVideoRequest, resumes=True)
def track_video(request: TrackVideoRequest, folder: Path, report: Progress, begun: Path | None) -> Record:
    """Track one video; leaves `video.json` and `frames.jsonl` in `folder`.

    A prompt that cannot be used costs only its object; where none can be used, the video has failed. With `begun` it
    goes on from the last checkpoint there, to the same bytes; a part of a video is tracked without.

    Returns:
        frames, objects, seconds, `summary`: a `TrackedObject` of each, and `problems`: a `PromptProblem` of each.

    Raises:
        BadMedia: the video cannot be used; the message says why.
    """
    steps = Steps(report)
    checkpoints = Checkpoints(folder if begun is None else begun, request.checkpoint_s)
    with open_video(request.video, steps.send) as source:
        prompts, problems = usable_prompts(request.prompts, source.info, request.video, steps.send, request.part)
        if request.prompts and not prompts:
            raise BadMedia(f"none of its prompts can be used: {problems[0].where}: {problems[0].what}")
        found, tracker, given = _begin(request, checkpoints)
        counter = Counter(source, request.fps, request.part, steps, prompts, None if found is None else found.counts)
        loop = TrackingLoop(tracker, prompts, request.max_frames, None if found is None else found.loop)
        frames = mark_cuts(_frames(source, request, {one.source_frame for one in prompts}, found))
        if found is not None:
            frames = (frame for frame in frames if frame.source_frame > found.loop.source_frame)
        with (
            read_ahead(frames, min(_READ_AHEAD, request.max_frames)) as ahead,
            checkpoints.open(found) as stream,
        ):

            def save() -> None:
                if begun is not None and request.part == WHOLE:
                    checkpoints.save_if_due(stream, tracker, loop.state, lambda: counter.counts)

            watched = counter.watch_frames(ahead if given is None else given.watch(ahead))
            write_frames(stream, counter.watch_records(loop.run(watched, save)))
        if counter.counts.frames == 0 and request.part != WHOLE:
            raise BadMedia(f"no frame is shown {request.part}: the video is shorter")
        checkpoints.frames_file.replace(folder / FRAMES_FILE)
        write_head(folder, counter.head())
    objects = counter.counts.objects
    problems += counter.unanswered()
    return {
        "frames": counter.counts.frames,
        "objects": len(objects),
        "summary": [one.model_dump() for one in objects.values()],
        "problems": [problem.model_dump() for problem in problems],
    }


def _begin(
    request: TrackVideoRequest, checkpoints: Checkpoints
) -> tuple[Checkpoint | None, Tracker, GivenDetections | None]:
    """The tracker, fresh or as it stood at the last checkpoint; the detections of a file, where it is given those."""
    given = None if request.detections is None else GivenDetections(request.detections, request.min_score)
    detector: DetectorSession | None = given
    if request.detector is not None:
        detector = DETECTORS.load(request.detector).start(request.text_prompt or "")
    segmenter = SEGMENTERS.load(request.segmenter)
    every, most = request.detection_frequency, request.max_objects
    if (latest := checkpoints.latest()) is not None:
        try:
            return latest[0], restore_tracker(latest[1], segmenter, detector, every, most), given
        except UnsafeFile as error:
            _log.warning("A checkpoint cannot be used, the video is tracked from its start: %s", error)
            checkpoints.start_anew()
    return None, Tracker(segmenter.start(), detector, every, most), given


def _frames(
    source: FrameSource, request: TrackVideoRequest, also: Collection[int], found: Checkpoint | None
) -> Iterator[Frame]:
    """The frames to process; of a tracking that goes on, those after its last one, and what decides about cuts."""
    if found is None:
        return source.frames(request.fps, also=frozenset(also), part=request.part)
    index, sampler = source.index(), TimeSampler(request.fps)
    wanted = [frame for frame, time_s in enumerate(index.times_s.tolist()) if sampler.keeps(time_s) or frame in also]
    done = bisect_right(wanted, found.loop.source_frame)
    return source.frames_at(index, wanted[max(0, done - BEFORE) :])
