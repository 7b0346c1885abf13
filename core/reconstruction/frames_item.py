"""The work of one item: frames of a video as images, picked by time."""

from pathlib import Path

from PIL import Image
from pydantic import BaseModel, ConfigDict

from core.item import Record, item
from core.progress import Progress
from core.video.source import open_video, read_ahead

_JPEG_QUALITY = 95


class FramesRequest(BaseModel):
    """A video, and how many frames a second to take; None: all."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    video: Path
    fps: float | None = None


@item(FramesRequest)
def extract_frames(request: FramesRequest, folder: Path, report: Progress) -> Record:
    """Leave the frames as `frame_NNNNNN.jpg`, numbered as in the video.

    Returns:
        `frames`: the files' names, in order.

    Raises:
        BadMedia: the video cannot be read.
    """
    names = []
    with open_video(request.video) as video, read_ahead(video.frames(request.fps)) as frames:
        for frame in frames:
            names.append(f"frame_{frame.source_frame:06d}.jpg")
            Image.fromarray(frame.image).save(folder / names[-1], quality=_JPEG_QUALITY)
            report(len(names), None)
    return {"frames": names}
