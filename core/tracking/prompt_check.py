"""Which prompts can be used in a video, checked before it is tracked where possible."""

from collections.abc import Callable, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from core.formats.prompt_fit import doubt, misfit
from core.formats.prompts import PromptEntry
from core.prompts import ObjectPrompt
from core.video.frames import VideoInfo
from core.video.sampling import WHOLE, Part
from core.video.source import open_video


class PromptProblem(BaseModel):
    """A prompt that was not used, came to nothing, or is odd: which, and why."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    where: str
    what: str


def usable_prompts(
    prompts: Sequence[PromptEntry],
    info: VideoInfo,
    video: Path,
    on_read: Callable[[], None],
    part: Part = WHOLE,
) -> tuple[list[ObjectPrompt], list[PromptProblem]]:
    """The prompts that lie in the picture and, as far as it is known, the length of a video; why the others do not,
    and what is odd about those that do.

    Those outside the `part` of the video that is processed are left out, too.

    `on_read` is called while the video is read, where it has to be.

    Raises:
        BadMedia: the video had to be read to learn its length, and cannot be.
    """
    last = max((one.frame for one in prompts), default=0)
    times_s = None
    if (last > 0 and last >= (info.declared_frames or 0)) or (prompts and part != WHOLE):
        with open_video(video, on_read) as source:
            times_s = source.index().times_s
    usable, problems = [], []
    for one in prompts:
        prompt = one.object_prompt()
        wrong = None if one.gone else misfit(one, info.width, info.height)
        if times_s is not None and one.frame >= len(times_s):
            wrong = beyond(len(times_s))
        elif times_s is not None and float(times_s[one.frame]) not in part:
            wrong = f"it lies outside the part that is processed ({part})"
        odd = wrong or (None if one.gone else doubt(one, info.width, info.height))
        if odd is not None:
            problems.append(problem_of(prompt, odd))
        if wrong is None:
            usable.append(prompt)
    return usable, problems


def problem_of(one: ObjectPrompt, what: str) -> PromptProblem:
    """What there is to say about a prompt."""
    label = f" ({one.label})" if one.label else ""
    return PromptProblem(where=f"object {one.obj_id}{label}, frame {one.source_frame}", what=what)


def beyond(frames: int) -> str:
    """Of a prompt beyond the end of a video."""
    return f"the video ends with frame {frames - 1}"
