"""The work of one item: write each shot of a video as a video of its own."""

from itertools import pairwise
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from core.errors import BadMedia
from core.item import Record, item
from core.progress import Progress
from core.video.frames import Frame
from core.video.sampling import WHOLE, Part
from core.video.shots import mark_cuts
from core.video.source import open_video, read_ahead
from core.video.writer import write_video

_CRF = 12  # models look at it: hardly anything is lost


class SplitVideoRequest(BaseModel):
    """Which video, or part of one."""

    model_config = ConfigDict(frozen=True)
    video: Path
    part: Part = WHOLE


@item(SplitVideoRequest)
def split_video(request: SplitVideoRequest, folder: Path, report: Progress) -> Record:
    """Write the shots of a video into `folder`, as `shot_001.mp4` and so on; a whole video of one shot stays as it is.

    Returns:
        frames read, and `shots`: in order, each `file`, `first_frame` and `first_s` of the video; none where that stays
        as it is.

    Raises:
        BadMedia: the video cannot be used, or is over before the part begins.
    """
    frames = 0
    shots: list[dict[str, Any]] = []
    with open_video(request.video) as source, read_ahead(mark_cuts(source.frames(part=request.part))) as ahead:
        for seen in ahead:
            frames += 1
            report(frames, None)
            if frames == 1 or seen.begins_shot:
                file = f"shot_{len(shots) + 1:03}.mp4"
                shots.append({"file": file, "first_frame": seen.source_frame, "first_s": round(seen.time_s, 6)})
    if not shots:
        raise BadMedia(f"no frame is shown {request.part}: the video is shorter")
    if len(shots) == 1 and request.part == WHOLE:
        return {"frames": frames, "shots": []}
    firsts: list[int | None] = [shot["first_frame"] for shot in shots]
    with open_video(request.video) as source, read_ahead(source.frames(part=request.part)) as ahead:
        info = source.info
        frame: Frame | None = next(ahead, None)
        for shot, (_, following) in zip(shots, pairwise([*firsts, None]), strict=True):
            with write_video(folder / shot["file"], info.fps, info.width, info.height, _CRF) as video:
                begins_s = 0.0 if frame is None else frame.time_s
                while frame is not None and (following is None or frame.source_frame < following):
                    video.write(frame.image, frame.time_s - begins_s)
                    report(frames, 2 * frames)
                    frame = next(ahead, None)
    return {"frames": frames, "shots": shots}
