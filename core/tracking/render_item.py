"""The work of one item: draw a tracked video's objects into an MP4 and a Rerun recording."""

from contextlib import ExitStack
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from core.formats.exchange.tracked_folder import seen_frame
from core.formats.tracks import FRAMES_FILE, FrameRecord, read_frames, read_head
from core.item import Record, item
from core.masks import rle
from core.masks.draw import Drawn, Style, draw_objects
from core.progress import Progress
from core.video.sampling import WHOLE, Part
from core.video.source import open_video, read_ahead
from core.video.writer import write_video

VIDEO_FILE = "tracked.mp4"
RECORDING_FILE = "tracks.rrd"


class RenderVideoRequest(BaseModel):
    """What to draw: the video, the folder of its tracks, which outputs."""

    model_config = ConfigDict(frozen=True)
    video: Path
    tracks: Path
    key: str
    annotated_video: bool
    recording: bool
    fps: float | None = None
    also: list[int] = Field(default_factory=list)
    part: Part = WHOLE
    style: Style = Style()


@item(RenderVideoRequest)
def render_video(request: RenderVideoRequest, folder: Path, report: Progress) -> Record:
    """Draw a tracked video; leaves `tracked.mp4` and/or `tracks.rrd` in `folder`.

    Returns:
        frames drawn and seconds.
    """
    head = read_head(request.tracks)
    with (request.tracks / FRAMES_FILE).open("rb") as lines:
        expected = sum(1 for _ in lines)
    done = 0
    with ExitStack() as stack:
        source = stack.enter_context(open_video(request.video))
        size = (head.width, head.height)
        video = recording = None
        if request.annotated_video:
            video = stack.enter_context(write_video(folder / VIDEO_FILE, head.process_fps, *size))
        if request.recording:
            from core.formats.rerun_recording import record_tracks  # heavy: only where it is used

            recording = stack.enter_context(record_tracks(folder / RECORDING_FILE, *size, identity=request.key))
        tracked = read_frames(request.tracks)
        record = next(tracked, None)
        for frame in stack.enter_context(
            read_ahead(source.frames(request.fps, also=frozenset(request.also), part=request.part))
        ):
            if record is None:
                break
            if frame.source_frame != record.source_frame:
                continue
            if video is not None:
                video.write(
                    draw_objects(frame.image, drawn_objects(record), request.style), frame.time_s - request.part.start_s
                )
            if recording is not None:
                recording.log(seen_frame(record), frame.image)
            done += 1
            report(done, expected)
            record = next(tracked, None)
    return {"frames": done}


def drawn_objects(record: FrameRecord) -> list[Drawn]:
    """The objects of a frame with their masks and names."""
    return [Drawn(one.obj_id, rle.decode(one.rle), f"{one.obj_id} {one.label or ''}".strip()) for one in record.objects]
