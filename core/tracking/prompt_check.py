"""Which prompts can be used in a video, checked before it is tracked where possible."""

from collections.abc import Callable, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from core.masks.boxes import clip_box
from core.prompts import ObjectPrompt
from core.video.frames import VideoInfo
from core.video.source import open_video

_LEAST_SIDE = 1.0  # pixels


class PromptProblem(BaseModel):
    """A prompt that was not used, or came to nothing: which, and why."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    where: str
    what: str


def usable_prompts(
    prompts: Sequence[ObjectPrompt], info: VideoInfo, video: Path, on_read: Callable[[], None]
) -> tuple[list[ObjectPrompt], list[PromptProblem]]:
    """The prompts that lie in the picture and, as far as it is known, the length of a video; why the others do not.

    `on_read` is called while the video is read, where it has to be.

    Raises:
        BadMedia: the video had to be read to learn its length, and cannot be.
    """
    last = max((one.source_frame for one in prompts), default=0)
    frames = None
    if last > 0 and last >= (info.declared_frames or 0):
        with open_video(video, on_read) as source:
            frames = len(source.index())
    usable, problems = [], []
    for one in prompts:
        wrong = beyond(frames) if frames is not None and one.source_frame >= frames else _misfit(one, info)
        if wrong is None:
            usable.append(one)
        else:
            problems.append(problem_of(one, wrong))
    return usable, problems


def problem_of(one: ObjectPrompt, what: str) -> PromptProblem:
    """What there is to say about a prompt."""
    label = f" ({one.label})" if one.label else ""
    return PromptProblem(where=f"object {one.obj_id}{label}, frame {one.source_frame}", what=what)


def beyond(frames: int) -> str:
    """Of a prompt beyond the end of a video."""
    return f"the video ends with frame {frames - 1}"


def _misfit(one: ObjectPrompt, info: VideoInfo) -> str | None:
    """Why nothing of a prompt lies in the picture; None where something does."""
    width, height = info.width, info.height
    box, mask = one.prompt.box, one.prompt.mask
    if mask is not None:
        if mask.shape != (height, width):
            return f"its mask is {mask.shape[1]}x{mask.shape[0]}, the picture {width}x{height}"
        return None if mask.any() else "its mask is empty"
    if any(0 <= x < width and 0 <= y < height for x, y, positive in one.prompt.points if positive):
        return None
    inside = None if box is None else clip_box(box, width, height)
    if inside is None:
        return f"it lies outside the picture of {width}x{height}"
    if inside[2] - inside[0] <= _LEAST_SIDE and inside[3] - inside[1] <= _LEAST_SIDE:
        return f"its box is no larger than a pixel (shares of the picture? Give pixels, of {width}x{height})"
    return None
