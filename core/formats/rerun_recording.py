"""A tracked video as a Rerun recording (`.rrd`): pictures, masks, boxes and scores over time."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import rerun as rr

from core.formats.exchange.model import OBJECT, SeenFrame
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
        ids = np.zeros((height, width), np.uint16)
        for obj_id, mask in masks:
            ids[rle.decode(mask)] = obj_id
        # Half size is plenty to look at, and an id map packs badly.
        half = cv2.resize(ids, (max(1, width // 2), max(1, height // 2)), interpolation=cv2.INTER_NEAREST)
        self._recording.log("video/masks", rr.SegmentationImage(np.asarray(half, np.uint16)))

    def data(self, entity: str, static: bool = False, **texts: str) -> None:
        """Log texts by name, for programs: at the time of the last frame, or for the whole recording."""
        self._recording.log(entity, rr.AnyValues(True, **texts), static=static)

    def _describe(self, frame: SeenFrame) -> None:
        new = [one for one in frame.objects if one.obj_id not in self._described]
        if not new:
            return
        self._described.update(one.obj_id for one in new)
        for one in new:
            label = "" if one.label == OBJECT else one.label
            style = rr.SeriesLines(colors=[colour(one.obj_id)], names=[f"{one.obj_id} {label}".strip()])
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
