"""Videos, their frames, what was found in them, and what a person says of it."""

from pathlib import Path
from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict

from core.corrections.editing import Edit, Restore, Show
from core.formats.exchange.registry import FORMATS
from flows.label.routes.needs import Needs, Video, check_prompt

router = APIRouter(prefix="/api/videos")
_PICTURE = {"Cache-Control": "private, max-age=3600"}


class EditRequest(BaseModel):
    """An edit, and the revision of the file that it was made on."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    edit: Edit
    revision: str


@router.get("")
def videos(state: Needs) -> dict[str, Any]:
    """All videos of the page, and where everything is."""
    session = state.session
    return {
        "videos": [{"name": Path(video).name, "path": video} for video in session.videos],
        "segmenter": session.segmenter.backend,
        "formats": sorted(FORMATS),
        "results": str(session.places.results),
    }


@router.get("/{number}")
def about(video: Video, number: int, state: Needs) -> dict[str, Any]:
    """A video's size, and when each of its frames is shown."""
    return {"path": state.session.videos[number], **video.about()}


@router.get("/{number}/frames/{frame}.jpg")
def picture(video: Video, frame: int) -> Response:
    """A frame at full size."""
    return Response(video.jpeg(frame), media_type="image/jpeg", headers=_PICTURE)


@router.get("/{number}/thumbnails/{frame}.jpg")
def thumbnail(video: Video, frame: int) -> Response:
    """A frame or one shortly before it, small."""
    return Response(video.thumbnail(frame), media_type="image/jpeg", headers=_PICTURE)


@router.get("/{number}/document")
def document(_: Video, number: int, state: Needs) -> dict[str, Any]:
    """What a person said of a video, and where its objects are."""
    return state.session.document(number)


@router.post("/{number}/edits")
def edit(video: Video, number: int, body: EditRequest, state: Needs) -> dict[str, Any]:
    """Apply one edit; the document after it."""
    if isinstance(body.edit, Show):
        check_prompt(video, body.edit.prompt)
    if isinstance(body.edit, Restore):
        for one in body.edit.corrections.prompts:
            check_prompt(video, one)
    state.session.edit(number, body.edit, body.revision)
    return state.session.document(number)


@router.get("/{number}/objects/{frame}")
def objects(_: Video, number: int, frame: int, state: Needs) -> dict[str, Any]:
    """The objects that were found on a frame; null where it was not processed."""
    shown = state.session.coming(number)
    return {"objects": None if shown is None else shown.frame(frame, state.session.known(number))}


@router.get("/{number}/review")
def review(_: Video, number: int, state: Needs) -> list[dict[str, Any]]:
    """The frames to look at, the most suspicious first."""
    return [one.model_dump() for one in state.session.review(number)]
