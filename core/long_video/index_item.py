"""The work of one item: find where each frame of a long video is."""

from itertools import count
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from core.item import Record, item
from core.progress import Progress
from core.video.source import open_video


class IndexRequest(BaseModel):
    """The video to index."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    video: Path


@item(IndexRequest)
def index_video(request: IndexRequest, folder: Path, report: Progress) -> Record:
    """Read through a video without decoding it (where its container allows); leaves `index.npz` in `folder`.

    Returns:
        width, height, fps, frames, duration_s; `seekable` says whether frames can be reached directly.

    Raises:
        BadMedia: the video cannot be used; the message says why.
    """
    read = count(1)
    with open_video(request.video, lambda: report(next(read), None)) as source:
        index = source.index()
        info = source.info
    index.save(folder)
    report(len(index), len(index))
    return {
        "width": info.width,
        "height": info.height,
        "fps": info.fps,
        "frames": len(index),
        "duration_s": round(float(index.times_s[-1]), 6),
        "seekable": len(index.pts) > 0,
    }
