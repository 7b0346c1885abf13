"""Tracked points as Rerun recordings: one for each batch, and one with the scene and all batches.

All of a run share one recording id, and each batch has a place of its own, so that files opened together show together:
`world/instances/INSTANCE/batch_N/{points,trails}`, `world/cameras/CAMERA`, `world/scene/CAMERA`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import rerun as rr

from core.formats.rerun_file import recording_file
from core.formats.tracked_npz import Tracked
from core.geometry.pinhole import back_project, rescaled
from core.rgbd.clip import ClipView

_BLOCK, _TAIL, _MOST_TRAILS = 16, 24, 200
_MOST_SCENE_POINTS, _IMAGE_SIDE, _JPEG_QUALITY = 20_000, 640, 80
_RAINBOW_M, _OCCLUDED = 0.5, 0.7


class PointsRecording:
    """Logs the scene and batches, streaming to disk. Made by `record_points`."""

    def __init__(self, recording: rr.RecordingStream, view: ClipView) -> None:
        self._recording = recording
        self._view = view

    def log_batch(self, entity: str, tracked: Tracked) -> None:
        """Log a batch: its points in each frame, occluded ones darker, and tails of some of them."""
        colours = rainbow(tracked.query_points[:, 1:])
        for first in range(0, self._view.frames, _BLOCK):
            frames = np.arange(first, min(first + _BLOCK, self._view.frames))
            self._log_points(f"{entity}/points", tracked, colours, frames)
        count = len(tracked.point_index)
        chosen = np.linspace(0, count - 1, min(_MOST_TRAILS, count)).astype(int)
        for frame in range(self._view.frames):
            self._set_time(frame)
            recent = slice(max(0, frame - _TAIL + 1), frame + 1)
            moving = chosen[tracked.valid[recent][:, chosen].sum(0) > 1]
            strips = [tracked.tracks_3d[recent, n][tracked.valid[recent, n]] for n in moving]
            self._recording.log(f"{entity}/trails", rr.LineStrips3D(strips, colors=colours[moving]))

    def _log_points(
        self, entity: str, tracked: Tracked, colours: npt.NDArray[np.uint8], frames: npt.NDArray[np.int64]
    ) -> None:
        there = [np.flatnonzero(tracked.valid[frame]) for frame in frames]
        bright = [np.where(tracked.visibilities[f, n], 1.0, _OCCLUDED) for f, n in zip(frames, there, strict=True)]
        positions = np.concatenate([tracked.tracks_3d[f, n] for f, n in zip(frames, there, strict=True)])
        shades = np.concatenate([colours[n] * b[:, None] for n, b in zip(there, bright, strict=True)]).astype(np.uint8)
        columns = rr.Points3D.columns(positions=positions, colors=shades).partition([len(n) for n in there])
        self._recording.send_columns(entity, indexes=self._times(frames), columns=columns)

    def log_scene(self) -> None:
        """Log every camera: where it is, what it sees, and the points its depth gives; once."""
        self._recording.log("world", rr.ViewCoordinates.RIGHT_HAND_Z_UP, static=True)
        for camera, name in enumerate(self._view.clip.info.camera_ids):
            place = rr.new_entity_path(["world", "cameras", name])
            scene = rr.new_entity_path(["world", "scene", name])
            for frame in range(self._view.frames):
                self._set_time(frame)
                self._log_camera(place, camera, frame)
                self._recording.log(scene, self._cloud(camera, frame))

    def _log_camera(self, place: str, camera: int, frame: int) -> None:
        pose = self._view.cam_from_world[camera, frame]
        placed = rr.Transform3D(
            translation=pose[:, 3], mat3x3=pose[:, :3], relation=rr.TransformRelation.ChildFromParent
        )
        image = self._view.rgb(camera, frame)
        scale = min(1.0, _IMAGE_SIDE / max(self._view.size))
        small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else image
        own = self._view.intrinsics[camera, frame]
        from_camera = rescaled(own, small.shape[1] / image.shape[1], small.shape[0] / image.shape[0])
        from_camera[:2, 2] += 0.5  # Rerun counts pixels from their corners
        lens = rr.Pinhole(
            image_from_camera=from_camera,
            resolution=[small.shape[1], small.shape[0]],
            camera_xyz=rr.ViewCoordinates.RDF,
        )
        self._recording.log(place, placed, lens)
        self._recording.log(f"{place}/image", rr.Image(small).compress(jpeg_quality=_JPEG_QUALITY))

    def _cloud(self, camera: int, frame: int) -> rr.Points3D:
        depth, image = self._view.depth(camera, frame), self._view.rgb(camera, frame)
        rows, columns = np.nonzero(depth)
        most = max(1, _MOST_SCENE_POINTS // self._view.cameras)
        step = max(1, -(-len(rows) // most))
        rows, columns = rows[::step], columns[::step]
        xyz = back_project(
            np.stack([columns, rows], -1).astype(float),
            depth[rows, columns].astype(float),
            self._view.intrinsics[camera, frame],
            self._view.cam_from_world[camera, frame],
        )
        return rr.Points3D(xyz, colors=image[rows, columns])

    def _set_time(self, frame: int) -> None:
        self._recording.set_time("frame", sequence=int(self._view.source_frames[frame]))
        stamps = self._view.clip.info.timestamps
        if stamps is not None:
            self._recording.set_time("time", duration=stamps[int(self._view.source_frames[frame])])

    def _times(self, frames: npt.NDArray[np.int64]) -> list[rr.TimeColumn]:
        source = self._view.source_frames[frames]
        columns = [rr.TimeColumn("frame", sequence=source)]
        stamps = self._view.clip.info.timestamps
        if stamps is not None:
            columns.append(rr.TimeColumn("time", duration=np.array(stamps)[source]))
        return columns


@contextmanager
def record_points(path: Path, recording_id: str, view: ClipView) -> Iterator[PointsRecording]:
    """Write a recording; `path` appears when the context ends without an error.

    Args:
        path: the `.rrd` to make.
        recording_id: the same for all files that belong together.
        view: what was tracked in.
    """
    with recording_file(path, recording_id) as recording:
        yield PointsRecording(recording, view)


def batch_entity(label: str, number: int) -> str:
    """A batch's place in recordings; the instance's name may be any text."""
    return str(rr.new_entity_path(["world", "instances", label, f"batch_{number}"]))


def rainbow(xyz: npt.NDArray[np.floating]) -> npt.NDArray[np.uint8]:
    """A rainbow through space [N, 3], the same for all batches; it repeats every half metre."""
    hue = (xyz.sum(1) / _RAINBOW_M) % 1.0 * 179
    hsv = np.stack([hue, np.full(len(xyz), 190.0), np.full(len(xyz), 255.0)], -1).astype(np.uint8)
    if len(xyz) == 0:
        return np.zeros((0, 3), np.uint8)
    return np.asarray(cv2.cvtColor(hsv[None], cv2.COLOR_HSV2RGB)[0], np.uint8)
