"""Flow runs that the page starts, and exports of their results."""

from pathlib import Path
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from core.errors import RefusedInput
from core.formats.exchange.exporting import export
from core.formats.exchange.registry import FORMATS, read_results
from flows.label.commands import FirstRun, Flow, command_of
from flows.label.routes.needs import Needs, numbered
from flows.label.session import sources_of

router = APIRouter(prefix="/api")


class RunRequest(BaseModel):
    """A run: with the video that is shown; and where it has no results, see `FirstRun`."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    video: int = Field(default=0, ge=0)
    flow: Flow = "track-videos"
    text_prompt: str | None = None
    fps: float | None = Field(default=None, gt=0, le=1000)


class ExportRequest(BaseModel):
    """The results of the video that is shown, with those that are in the same file, in another format."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    video: int = Field(default=0, ge=0)
    to: str


@router.post("/run")
def start(body: RunRequest, state: Needs) -> dict[str, Any]:
    """Start a run."""
    number = numbered(body.video, state)
    words, folder = command_of(state.session, number, FirstRun(body.flow, body.text_prompt, body.fps))
    state.runs.start(words, folder)
    return state.runs.state()


@router.get("/run")
def running(state: Needs) -> dict[str, Any]:
    """How the run is."""
    return state.runs.state()


@router.delete("/run")
def cancel(state: Needs) -> dict[str, Any]:
    """Cancel it: what is finished is kept."""
    state.runs.cancel()
    return state.runs.state()


@router.post("/export")
def export_results(body: ExportRequest, state: Needs) -> dict[str, Any]:
    """Write the results in another format, into a new folder beside them."""
    results = state.session.results(numbered(body.video, state))
    if body.to not in FORMATS:
        raise RefusedInput.of("to", body.to, ", ".join(sorted(FORMATS)))
    if not results.exists():
        raise ValueError("there are no results yet: run first")
    output = _unused(results.parent / "exports" / body.to)
    done = export(read_results(results, None, sources_of(state.session.videos)), body.to, output)
    figures = {"videos": done.videos, "frames": done.frames, "tracks": done.tracks, "objects": done.objects}
    return {"output": str(output), **figures}


def _unused(folder: Path) -> Path:
    """A folder that is not there yet, called as this one, or with a number behind."""
    found, number = folder, 1
    while found.exists():
        number += 1
        found = folder.with_name(f"{folder.name}_{number}")
    return found
