"""A tracked video as a Rerun recording (`.rrd`): pictures, masks, boxes and scores over time."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import rerun as rr
import rerun.blueprint as rrb

from core.formats.exchange.model import OBJECT, SeenFrame
from core.formats.rerun_file import recording_file, side_by_side
from core.masks import rle
from core.masks.draw import colour
from core.video.frames import RGB

_JPEG_QUALITY = 85
_BACKGROUND, _TRANSPARENT = 0, (0, 0, 0, 0)


class TracksRecording:
    """Logs frame after frame, streaming to disk. Made by `record_tracks`."""

    def __init__(self, recording: rr.RecordingStream, width: int, height: int) -> None:
        self._recording = recording
        self._size = (width, height)
        self._labels: dict[int, str] = {}

    def log(self, frame: SeenFrame, image: RGB | None) -> None:
        """Log one frame with its objects: the picture [H, W, 3], a segmentation image, boxes, one score curve each."""
        recording = self._recording
        recording.set_time("frame", sequence=frame.source_frame)
        recording.set_time("time", duration=frame.time_s)
        if image is not None:
            recording.log("video/frame", rr.Image(image).compress(jpeg_quality=_JPEG_QUALITY))
        self._describe(frame)
        self._log_masks(frame)
        for one in frame.objects:
            if one.score is not None:
                recording.log(f"scores/{one.obj_id}", rr.Scalars(one.score))
        recording.log(
            "video/boxes",
            rr.Boxes2D(
                array=np.array([one.box_xyxy for one in frame.objects], np.float32).reshape(-1, 4),
                array_format=rr.Box2DFormat.XYXY,
                class_ids=[one.obj_id for one in frame.objects],
            ),
        )

    def _log_masks(self, frame: SeenFrame) -> None:
        masks = [(one.obj_id, one.rle) for one in frame.objects if one.rle is not None]
        if not masks and frame.objects:
            return
        width, height = self._size
        highest = max((obj_id for obj_id, _ in masks), default=0)
        ids = np.zeros((height, width), np.uint8 if highest < 256 else np.uint16)
        for obj_id, mask in masks:
            ids[rle.decode(mask)] = obj_id
        self._recording.log("video/masks", rr.SegmentationImage(ids))

    def data(self, entity: str, static: bool = False, **texts: str) -> None:
        """Log texts by name, for programs: at the time of the last frame, or for the whole recording."""
        self._recording.log(entity, rr.AnyValues(True, **texts), static=static)

    def _describe(self, frame: SeenFrame) -> None:
        new = [one for one in frame.objects if one.obj_id not in self._labels]
        if not new:
            return
        for one in new:
            label = "" if one.label == OBJECT else one.label
            self._labels[one.obj_id] = f"{one.obj_id} {label}".strip()
            style = rr.SeriesLines(colors=[colour(one.obj_id)], names=[self._labels[one.obj_id]])
            self._recording.log(f"scores/{one.obj_id}", style, static=True)
        classes = [
            rr.AnnotationInfo(id=_BACKGROUND, color=_TRANSPARENT),
            *(rr.AnnotationInfo(id=n, label=label, color=colour(n)) for n, label in sorted(self._labels.items())),
        ]
        self._recording.log("video", rr.AnnotationContext(classes), static=True)


@contextmanager
def record_tracks(path: Path, width: int, height: int, identity: str) -> Iterator[TracksRecording]:
    """Write a recording; `path` appears when the context ends without an error.

    Args:
        path: the `.rrd` to make.
        width: of the frames, in pixels.
        height: of the frames, in pixels.
        identity: names the recording: the same identity gives the same recording id.
    """
    recording_id = hashlib.sha256(identity.encode()).hexdigest()[:32]
    with recording_file(path, recording_id, _layout()) as recording:
        yield TracksRecording(recording, width, height)


def _layout() -> rrb.Blueprint:
    """The video large, all scores in one plot beside it."""
    video = rrb.Spatial2DView(origin="video", name="video")
    return side_by_side(video, rrb.TimeSeriesView(origin="scores", name="scores"), (3, 1), "time")
