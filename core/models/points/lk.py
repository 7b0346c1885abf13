"""The built-in point tracker: pyramidal Lucas-Kanade in every camera, lifted with depth and fused.

Points do not look at each other: tracked together or in batches, each comes out the same to the bit.
"""

import numpy as np
import numpy.typing as npt

from core.geometry.sim3 import Array
from core.models.points.lk_camera import CameraObservation, CameraTracker
from core.models.points.one_view import valid_from
from core.models.roles import PointTracks
from core.progress import Progress
from core.rgbd.clip import ClipView


class LucasKanade:
    """See `core.models.roles.PointTracker`."""

    def track(
        self,
        view: ClipView,
        queries: Array,
        support: Array,  # noqa: ARG002 - points are on their own
        report: Progress,
    ) -> PointTracks:
        """Follow points forward from their frames; unseen ones stay where they were."""
        count = len(queries)
        started = queries[:, 0].astype(np.int64)
        current = queries[:, 1:].astype(np.float64)
        xyz = np.zeros((view.frames, count, 3), np.float32)
        visible = np.zeros((view.frames, count), bool)
        cameras = [CameraTracker(view, camera, count) for camera in range(view.cameras)]
        for frame in range(int(started.min()), view.frames):
            for camera in cameras:
                camera.advance(frame)
            going = np.flatnonzero(started < frame)
            if len(going):
                seen = [camera.follow(going, current[going]) for camera in cameras]
                current[going], visible[frame, going] = _fused(seen, current[going])
            new = np.flatnonzero(started == frame)
            if len(new):
                in_sight = [camera.start(new, current[new]) for camera in cameras]
                visible[frame, new] = np.any(in_sight, axis=0)
            xyz[frame] = current
            report(frame + 1, view.frames)
        return valid_from(queries, xyz, visible)


def _fused(seen: list[CameraObservation], before: Array) -> tuple[Array, npt.NDArray[np.bool_]]:
    """Mean of what the cameras see, by weight; where none does, the point stays."""
    total = np.zeros(len(before))
    summed = np.zeros_like(before)
    for one in seen:
        weight = np.where(one.visible, one.weight, 0.0)
        total = total + weight
        summed = summed + weight[:, None] * np.where(one.visible[:, None], one.xyz, 0.0)
    visible = total > 0
    return np.where(visible[:, None], summed / np.where(visible, total, 1.0)[:, None], before), visible
