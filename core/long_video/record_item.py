"""The work of one item: an annotated long video as a Rerun recording."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from core.formats.exchange.tracked_folder import seen_frame
from core.formats.tracks import read_frames
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


def record_video(request: dict[str, Any], folder: Path, report: Callable[[int, int | None], None]) -> dict[str, Any]:
    """Record one video's annotated frames; leaves `annotations.rrd` in `folder`.

    Args:
        request: a `RecordRequest` as JSON-able values.
        folder: where the recording goes.
        report: told frames done and frames expected.

    Returns:
        frames and seconds.

    Raises:
        BadMedia: the video cannot be read.
    """
    from core.formats.rerun_recording import record_tracks  # heavy: only where it is used

    asked = RecordRequest.model_validate(request)
    started = time.monotonic()
    index = load_index(asked.index)
    wanted = [record.source_frame for record in read_frames(asked.tracks)]
    with open_video(asked.video) as source:
        scale = asked.max_side / max(source.info.width, source.info.height)
        size = (round(source.info.width * scale), round(source.info.height * scale))
        with (
            record_tracks(folder / RECORDING_FILE, *size, identity=asked.key) as recording,
            read_ahead(source.frames_at(index, wanted, asked.max_side)) as frames,
        ):
            for done, (record, frame) in enumerate(zip(read_frames(asked.tracks), frames, strict=True), 1):
                recording.log(seen_frame(record), frame.image)
                report(done, len(wanted))
    return {"frames": len(wanted), "seconds": time.monotonic() - started}
