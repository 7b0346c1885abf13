"""What prompts give before a run: on their frame, and some seconds ahead."""

from typing import Any

from fastapi import APIRouter, HTTPException
from pydantic import BaseModel, ConfigDict, Field

from core.formats.corrections import CorrectionPrompt
from flows.label.looking import LookAhead
from flows.label.routes.needs import Needs, Video, check_prompt

router = APIRouter(prefix="/api/videos/{number}")
_LONGEST_S = 60.0


class LookRequest(BaseModel):
    """What to track ahead, all from one frame, and for how long."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    prompts: list[CorrectionPrompt] = Field(min_length=1, max_length=50)
    seconds: float = Field(default=3, gt=0, le=_LONGEST_S)


@router.post("/preview")
def preview(video: Video, body: CorrectionPrompt, state: Needs) -> dict[str, Any]:
    """The mask that a prompt gives on its frame."""
    check_prompt(video, body)
    return state.preview.mask(video, body)


@router.post("/look-ahead")
def look_ahead(video: Video, number: int, body: LookRequest, state: Needs) -> dict[str, Any]:
    """Begin to track ahead."""
    if len({one.frame for one in body.prompts}) > 1:
        raise ValueError("what is tracked ahead begins on one frame")
    for one in body.prompts:
        check_prompt(video, one)
    if number in state.looks:
        state.looks[number].stop()
    state.looks[number] = LookAhead(video, state.session.segmenter, body.prompts, body.seconds)
    return {"total": state.looks[number].total}


@router.get("/look-ahead")
def looked(number: int, state: Needs, since: int = 0) -> dict[str, Any]:
    """What was tracked ahead, from the frame numbered `since` on."""
    if number not in state.looks:
        raise HTTPException(404, "nothing is tracked ahead")
    look = state.looks[number]
    running = look.running  # before the frames are taken: none is missed
    return {"running": running, "total": look.total, "frames": look.take(since), "error": look.error}


@router.delete("/look-ahead")
def stop(number: int, state: Needs) -> dict[str, Any]:
    """End it."""
    if number in state.looks:
        state.looks.pop(number).stop()
    return {}
