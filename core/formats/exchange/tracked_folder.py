"""The folder of a tracked video (`core.formats.tracks`) as neutral results."""

from pathlib import Path

from core.formats.exchange.model import OBJECT, SeenFrame, SeenObject, VideoResults
from core.formats.tracks import FrameRecord, read_frames, read_head


def seen_frame(record: FrameRecord) -> SeenFrame:
    """A record of a frame in the neutral model."""
    objects = tuple(
        SeenObject(
            one.obj_id,
            one.label or OBJECT,
            (one.bbox[0], one.bbox[1], one.bbox[0] + one.bbox[2] + 1, one.bbox[1] + one.bbox[3] + 1),
            one.score,
            one.rle,
            one.detection_score,
        )
        for one in record.objects
    )
    return SeenFrame(record.source_frame, record.time_s, objects)


def tracked_video(folder: Path, name: str, path: str | None = None) -> VideoResults:
    """A tracked video: its frames are read from the folder as often as they are iterated."""
    head = read_head(folder)
    return VideoResults(
        name=name,
        width=head.width,
        height=head.height,
        fps=head.original_fps,
        read=lambda: (seen_frame(record) for record in read_frames(folder)),
        length=head.total_frames,
        path=path,
        process_fps=head.process_fps,
        cuts=frozenset(shot.first_frame for shot in head.shots[1:]),
    )
