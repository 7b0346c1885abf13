"""The work of one item: track one object from a corrected prompt over a stretch of video, in one direction."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from core.formats.corrections import CorrectionPrompt
from core.formats.prompts import PromptEntry
from core.formats.tracks import FRAMES_FILE, FrameRecord, write_frames
from core.item import Record, item
from core.models.registry import SEGMENTERS
from core.models.spec import ModelSpec
from core.progress import Progress
from core.prompts import Prompt, scaled
from core.tracking.loop import record_of, with_next
from core.tracking.tracker import Tracker
from core.tracking.tracker_state import restore_tracker, save_tracker
from core.video.backward import read_backward
from core.video.frames import Frame, FrameSource
from core.video.source import open_video, read_ahead

Direction = Literal["forward", "backward"]
Shown = dict[int, tuple[str | None, Prompt | None]]
"""Prompts by object, each with its label, as the tracker takes them."""


class RetrackRequest(BaseModel):
    """What to track again.

    Attributes:
        video: its file.
        prompt: where the object is.
        direction: of time.
        frames: source frames, ascending; of the first stretch with that of the prompt.
        before: folder of the stretch before, in this direction, which this one goes on from.
        max_side: frames are scaled down to it while they are decoded, and the prompt with them; None: as they are.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    video: Path
    prompt: CorrectionPrompt
    direction: Direction
    frames: list[int] = Field(min_length=1)
    before: Path | None = None
    max_side: int | None = Field(default=None, ge=1)
    segmenter: ModelSpec


@item(RetrackRequest)
def retrack(request: RetrackRequest, folder: Path, report: Progress) -> Record:
    """Track it; leaves `frames.jsonl`, in the order in which frames were tracked, and the tracker's state in `folder`.

    Returns:
        frames, seconds, and `answered`: whether something was found where the prompt is.

    Raises:
        BadMedia: the video cannot be read there.
        UnsafeFile: the state of the stretch before is damaged.
    """
    segmenter = SEGMENTERS.load(request.segmenter)
    if request.before is None:
        tracker = Tracker(segmenter.start(), None)
    else:
        tracker = restore_tracker(request.before, segmenter, None, 1)
    done, answered = 0, True

    def records(frames: Iterator[Frame]) -> Iterator[FrameRecord]:
        nonlocal done, answered
        shown = None
        for frame, upcoming in with_next(frames):
            if done == 0 and request.before is None:
                shown = _at_size(shown_by(request.prompt), size, (frame.image.shape[1], frame.image.shape[0]))
            tracker.step(frame.image, frame.time_s, shown, None if upcoming is None else upcoming.image)
            record = record_of(done, frame, tracker)
            answered = answered and (shown is None or bool(record.objects))
            shown = None
            yield record
            done += 1
            report(done, len(request.frames))

    with (
        open_video(request.video, lambda: report(done, len(request.frames))) as source,
        _frames(source, request) as frames,
        (folder / FRAMES_FILE).open("w", encoding="utf-8") as stream,
    ):
        size = (source.info.width, source.info.height)
        write_frames(stream, records(frames))
    save_tracker(tracker, folder)
    return {"frames": done, "answered": answered}


def shown_by(prompt: PromptEntry) -> Shown:
    """A prompt in the tracker's terms."""
    one = prompt.object_prompt()
    return {one.obj_id: (one.label, one.prompt)}


def _at_size(shown: Shown, size: tuple[int, int], shrunk: tuple[int, int]) -> Shown:
    """Prompts in pixels of frames of another size."""
    if size == shrunk:
        return shown
    return {
        obj_id: (label, None if prompt is None else scaled(prompt, size, shrunk))
        for obj_id, (label, prompt) in shown.items()
    }


def _frames(source: FrameSource, request: RetrackRequest) -> AbstractContextManager[Iterator[Frame]]:
    index = source.index()
    if request.direction == "backward":
        return read_backward(source, index, request.frames, request.max_side)
    return read_ahead(source.frames_at(index, request.frames, request.max_side))
