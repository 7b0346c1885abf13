"""The work of one item: frames of a video as images, picked by time."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image
from pydantic import BaseModel, ConfigDict

from core.video.source import open_video, read_ahead

_JPEG_QUALITY = 95


class FramesRequest(BaseModel):
    """A video, and how many frames a second to take; None: all."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    video: Path
    fps: float | None = None


def extract_frames(request: dict[str, Any], folder: Path, report: Callable[[int, int | None], None]) -> dict[str, Any]:
    """Leave the frames as `frame_NNNNNN.jpg`, numbered as in the video.

    Args:
        request: a `FramesRequest` as JSON-able values.
        folder: where the outputs go.
        report: told frames written and expected.

    Returns:
        `frames`: the files' names, in order.

    Raises:
        BadMedia: the video cannot be read.
    """
    asked = FramesRequest.model_validate(request)
    names = []
    with open_video(asked.video) as video, read_ahead(video.frames(asked.fps)) as frames:
        for frame in frames:
            names.append(f"frame_{frame.source_frame:06d}.jpg")
            Image.fromarray(frame.image).save(folder / names[-1], quality=_JPEG_QUALITY)
            report(len(names), None)
    return {"frames": names}
