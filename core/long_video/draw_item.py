"""The work of one item: an annotated long video drawn into an MP4 and a Rerun recording."""

from contextlib import ExitStack
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from core.formats.exchange.tracked_folder import seen_frame
from core.formats.tracks import FrameRecord, read_frames
from core.item import Record, item
from core.masks.draw import Style, draw_objects
from core.progress import Progress
from core.tracking.render_item import drawn_objects
from core.video.frames import Frame
from core.video.index import load_index
from core.video.source import open_video, read_ahead
from core.video.writer import write_video

RECORDING_FILE = "annotations.rrd"
VIDEO_FILE = "annotated.mp4"


class DrawRequest(BaseModel):
    """What to draw: the video, the folder of its index, the folder of its assembled annotations, and their key.

    `interval`: source frames between annotations, of which those in `spans` (first, end) are drawn though nothing is
    there; `max_side`: of what is drawn, in pixels.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    video: Path
    index: Path
    tracks: Path
    key: str
    max_side: int
    interval: int
    spans: list[tuple[int, int]]
    annotated_video: bool
    recording: bool
    style: Style = Style()


@item(DrawRequest)
def draw_video(request: DrawRequest, folder: Path, report: Progress) -> Record:
    """Draw one video's annotated frames; leaves `annotated.mp4` and/or `annotations.rrd` in `folder`.

    Returns:
        frames and seconds.

    Raises:
        BadMedia: the video cannot be read.
    """
    index = load_index(request.index)
    annotated = {record.source_frame for record in read_frames(request.tracks)}
    grid = range(0, len(index), request.interval)
    wanted = sorted(annotated | {frame for frame in grid if any(a <= frame < b for a, b in request.spans)})
    with ExitStack() as stack:
        source = stack.enter_context(open_video(request.video))
        scale = min(1.0, request.max_side / max(source.info.width, source.info.height))
        size = (max(1, round(source.info.width * scale)), max(1, round(source.info.height * scale)))
        video = recording = None
        if request.annotated_video:
            rate = source.info.fps / request.interval
            video = stack.enter_context(write_video(folder / VIDEO_FILE, rate, *size))
        if request.recording:
            from core.formats.rerun_recording import record_tracks  # heavy: only where it is used

            recording = stack.enter_context(record_tracks(folder / RECORDING_FILE, *size, identity=request.key))
        frames = stack.enter_context(read_ahead(source.frames_at(index, wanted, request.max_side)))
        records = read_frames(request.tracks)
        for done, frame in enumerate(frames, 1):
            record = next(records) if frame.source_frame in annotated else _empty(frame)
            if video is not None:
                video.write(draw_objects(frame.image, drawn_objects(record), request.style), frame.time_s)
            if recording is not None:
                recording.log(seen_frame(record), frame.image)
            report(done, len(wanted))
    return {"frames": len(wanted)}


def _empty(frame: Frame) -> FrameRecord:
    """A frame on which there is nothing."""
    return FrameRecord(frame_idx=0, source_frame=frame.source_frame, time_s=frame.time_s, objects=[])
