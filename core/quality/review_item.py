"""The work of one item: a tracked video looked through for signs of trouble."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from core.formats.exchange.sources import Sources
from core.formats.exchange.tracked_folder import tracked_video
from core.formats.review_jsonl import write_review
from core.quality.review import review

REVIEW_FILE = "review.jsonl"


class ReviewRequest(BaseModel):
    """A tracked video: its name for people, its file, the folder of its tracks."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: str
    video: Path
    tracks: Path


def review_video(request: dict[str, Any], folder: Path, report: Callable[[int, int | None], None]) -> dict[str, Any]:
    """Look through a video; leaves `review.jsonl` in `folder`.

    Args:
        request: a `ReviewRequest` as JSON-able values.
        folder: where it goes.
        report: told frames done and frames expected.

    Returns:
        entries: how many frames of objects a person should look at.

    Raises:
        BadResults: the video cannot be read.
    """
    asked = ReviewRequest.model_validate(request)
    video = tracked_video(asked.tracks, asked.name, str(asked.video))
    entries = review(video, Sources(), lambda frame: report(frame + 1, video.length))
    write_review(folder / REVIEW_FILE, entries)
    return {"entries": len(entries)}
