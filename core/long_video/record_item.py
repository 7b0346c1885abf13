"""The work of one item: an annotated long video as a Rerun recording."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from core.formats.exchange.tracked_folder import seen_frame
from core.formats.tracks import read_frames
from core.item import Record, item
from core.progress import Progress
from core.video.index import load_index
from core.video.source import open_video, read_ahead

RECORDING_FILE = "annotations.rrd"


class RecordRequest(BaseModel):
    """What to record: the video, the folder of its index, the folder of its assembled annotations, and their key."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    video: Path
    index: Path
    tracks: Path
    key: str
    max_side: int


@item(RecordRequest)
def record_video(request: RecordRequest, folder: Path, report: Progress) -> Record:
    """Record one video's annotated frames; leaves `annotations.rrd` in `folder`.

    Returns:
        frames and seconds.

    Raises:
        BadMedia: the video cannot be read.
    """
    from core.formats.rerun_recording import record_tracks  # heavy: only where it is used

    index = load_index(request.index)
    wanted = [record.source_frame for record in read_frames(request.tracks)]
    with open_video(request.video) as source:
        scale = request.max_side / max(source.info.width, source.info.height)
        size = (round(source.info.width * scale), round(source.info.height * scale))
        with (
            record_tracks(folder / RECORDING_FILE, *size, identity=request.key) as recording,
            read_ahead(source.frames_at(index, wanted, request.max_side)) as frames,
        ):
            for done, (record, frame) in enumerate(zip(read_frames(request.tracks), frames, strict=True), 1):
                recording.log(seen_frame(record), frame.image)
                report(done, len(wanted))
    return {"frames": len(wanted)}
