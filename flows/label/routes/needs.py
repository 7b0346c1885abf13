"""What routes need: the session, and the video that a path names."""

from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, HTTPException, Request

from core.formats.corrections import CorrectionPrompt
from core.formats.prompt_fit import misfit
from flows.label.looking import LookAhead, Preview
from flows.label.running import Runs
from flows.label.session import Session
from flows.label.video import LabelVideo


@dataclass
class State:
    """What one page's server holds; `looks`: what is tracked ahead, by video."""

    session: Session
    preview: Preview
    runs: Runs
    looks: dict[int, LookAhead] = field(default_factory=dict)


def _state(request: Request) -> State:
    state: State = request.app.state.label
    return state


Needs = Annotated[State, Depends(_state)]


def numbered(number: int, state: State) -> int:
    """The number of a video, where there is one of this number. Raises `HTTPException`."""
    if not 0 <= number < len(state.session.videos):
        raise HTTPException(404, "there is no such video")
    return number


def _video(number: int, state: Needs) -> LabelVideo:
    return state.session.video(numbered(number, state))


Video = Annotated[LabelVideo, Depends(_video)]


def check_prompt(video: LabelVideo, prompt: CorrectionPrompt) -> None:
    """Raise `ValueError` where a prompt lies on no frame, or not in its picture."""
    about = video.info
    wrong = misfit(prompt, about.width, about.height)
    if prompt.frame >= len(video):
        raise ValueError(f"the video ends with frame {len(video) - 1}")
    if wrong is not None:
        raise ValueError(f"object {prompt.obj_id}, frame {prompt.frame}: {wrong}")
