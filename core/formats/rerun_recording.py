"""A tracked video as a Rerun recording (`.rrd`): pictures, masks, boxes and scores over time."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import rerun as rr

from core.formats.tracks import FrameRecord
from core.masks import rle
from core.masks.draw import colour
from core.store.atomic import atomic_file
from core.video.frames import RGB

_JPEG_QUALITY = 85


class TracksRecording:
    """Logs frame after frame, streaming to disk. Made by `record_tracks`."""

    def __init__(self, recording: rr.RecordingStream, width: int, height: int) -> None:
        self._recording = recording
        self._size = (width, height)
        self._described: set[int] = set()

    def log(self, frame: FrameRecord, image: RGB) -> None:
        """Log one frame [H, W, 3] with its objects: a segmentation image, boxes, one score curve an object."""
        recording = self._recording
        recording.set_time("frame", sequence=frame.source_frame)
        recording.set_time("time", duration=frame.time_s)
        recording.log("video/frame", rr.Image(image).compress(jpeg_quality=_JPEG_QUALITY))
        self._describe(frame)
        ids = np.zeros(image.shape[:2], np.uint16)
        for one in frame.objects:
            ids[rle.decode(one.rle)] = one.obj_id
            recording.log(f"scores/{one.obj_id}", rr.Scalars(one.score))
        # Half size is plenty to look at, and an id map packs badly.
        half = cv2.resize(
            ids, (max(1, self._size[0] // 2), max(1, self._size[1] // 2)), interpolation=cv2.INTER_NEAREST
        )
        recording.log("video/masks", rr.SegmentationImage(np.asarray(half, np.uint16)))
        recording.log(
            "video/boxes",
            rr.Boxes2D(
                array=np.array([one.bbox for one in frame.objects], np.float32).reshape(-1, 4),
                array_format=rr.Box2DFormat.XYWH,
                class_ids=[one.obj_id for one in frame.objects],
            ),
        )

    def _describe(self, frame: FrameRecord) -> None:
        new = [one for one in frame.objects if one.obj_id not in self._described]
        if not new:
            return
        self._described.update(one.obj_id for one in new)
        for one in new:
            style = rr.SeriesLines(colors=[colour(one.obj_id)], names=[f"{one.obj_id} {one.label or ''}".strip()])
            self._recording.log(f"scores/{one.obj_id}", style, static=True)
        classes = [
            rr.AnnotationInfo(id=obj_id, label=str(obj_id), color=colour(obj_id)) for obj_id in sorted(self._described)
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
    with atomic_file(path) as temporary:
        recording = rr.RecordingStream("maskflow", recording_id=recording_id)
        recording.save(temporary)
        yield TracksRecording(recording, width, height)
        recording.flush()
        recording.disconnect()
