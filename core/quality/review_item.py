"""The work of one item: a tracked video looked through for signs of trouble."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from core.formats.exchange.sources import Sources
from core.formats.exchange.tracked_folder import tracked_video
from core.formats.review_jsonl import write_review
from core.item import Record, item
from core.progress import Progress
from core.quality.review import review_whole

REVIEW_FILE = "review.jsonl"


class ReviewRequest(BaseModel):
    """A tracked video: its name for people, its file, the folder of its tracks."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: str
    video: Path
    tracks: Path


@item(ReviewRequest)
def review_video(request: ReviewRequest, folder: Path, report: Progress) -> Record:
    """Look through a video; leaves `review.jsonl` in `folder`.

    Returns:
        entries: how many frames of objects a person should look at; `doubtful`: ids of objects that are mostly wrong.

    Raises:
        BadResults: the video cannot be read.
    """
    video = tracked_video(request.tracks, request.name, str(request.video))
    reviewed = review_whole(video, Sources(), lambda frame: report(frame + 1, video.length))
    write_review(folder / REVIEW_FILE, reviewed.entries)
    return {"entries": len(reviewed.entries), "doubtful": reviewed.doubtful}
