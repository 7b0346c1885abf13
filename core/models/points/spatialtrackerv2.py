"""SpatialTrackerV2 (Xiao et al., "SpatialTrackerV2: 3D point tracking made easy", ICCV 2025), from the clone its user
put on the path; tracks in one camera, whose depth and poses are given."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from core.errors import BadMedia
from core.geometry.pinhole import back_project, inverse_pose
from core.geometry.sim3 import Array
from core.models.device import default_device
from core.models.points.one_view import track_in_best_cameras
from core.models.points.parts import Parts
from core.models.roles import PointTracks
from core.progress import Progress
from core.rgbd.clip import ClipView

_MOST_FRAMES = 600
_SUPPORT_POINTS = 756


def load_spatialtrackerv2(folder: Path) -> "SpatialTrackerV2":
    """The clone's predictor with the weights in `folder` (config.json, model.safetensors)."""
    from models.SpaTrackV2.models.predictor import Predictor

    predictor = Predictor.from_pretrained(str(folder), local_files_only=True)
    predictor.spatrack.track_num = _SUPPORT_POINTS
    return SpatialTrackerV2(predictor)


class SpatialTrackerV2:
    """See `core.models.roles.PointTracker`. Each point is tracked in the camera that sees it best.

    Args:
        predictor: `models.SpaTrackV2.models.predictor.Predictor`.
    """

    def __init__(self, predictor: Any) -> None:
        self._device = default_device()
        self._predictor = predictor.eval().to(self._device)
        self._parts = Parts()

    def track(self, view: ClipView, queries: Array, support: Array, report: Progress) -> PointTracks:
        """See `PointTracker.track`. Raises `BadMedia` for more frames than the model takes."""
        if view.frames > _MOST_FRAMES:
            raise BadMedia(
                f"spatialtrackerv2 takes {_MOST_FRAMES} frames, these are {view.frames}: raise --temporal-stride"
            )
        return self._parts.track(queries, support, lambda points: self._track(view, points, report))

    def _track(self, view: ClipView, points: Array, report: Progress) -> PointTracks:
        tracks = track_in_best_cameras(
            view, points, lambda camera, _, queries_xy: self._in_camera(view, camera, queries_xy)
        )
        report(view.frames, view.frames)
        return tracks

    @torch.inference_mode()
    def _in_camera(
        self, view: ClipView, camera: int, queries_xy: Array
    ) -> tuple["np.typing.NDArray[np.float32]", "np.typing.NDArray[np.bool_]"]:
        """World points [T, N, 3] and whether they are visible [T, N], of queries (frame, x, y in pixels).

        The model gives points as each frame's camera sees them; we move them by the clip's own poses, since its own
        start from the first frame.
        """
        frames = range(view.frames)
        images = np.stack([view.rgb(camera, frame) for frame in frames])
        world_from_cam = np.tile(np.eye(4), (view.frames, 1, 1))
        poses = view.cam_from_world[camera]
        world_from_cam[:, :3] = inverse_pose(poses)
        found = self._predictor.forward(
            torch.from_numpy(images).permute(0, 3, 1, 2).float().to(self._device),
            depth=self._tensor(np.stack([view.depth(camera, frame) for frame in frames])),
            intrs=self._tensor(view.intrinsics[camera]),
            extrs=self._tensor(world_from_cam),
            queries=queries_xy.astype(np.float32),
            fps=1,
            full_point=True,  # else points on uncertain depth are dropped, and others put in their places
            iters_track=4,
            query_no_BA=True,
            fixed_cam=False,
            stage=1,
            support_frame=view.frames - 1,
            replace_ratio=0.2,
        )
        seen_xyz, visible = found[4][..., :3].float().cpu().numpy(), found[6].float().cpu().numpy()
        xyz = [_to_world(seen.astype(float), pose) for seen, pose in zip(seen_xyz, poses, strict=True)]
        return np.stack(xyz).astype(np.float32), visible.reshape(visible.shape[:2]) > 0.5

    def _tensor(self, array: "np.typing.NDArray[Any]") -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(array)).float().to(self._device)


def _to_world(xyz: Array, cam_from_world: Array) -> Array:
    """A camera's points [N, 3] in the world: pixels of a camera of focal length 1 at their depth."""
    depth = xyz[:, 2]
    safe = np.where(depth == 0, 1e-9, depth)
    return back_project(xyz[:, :2] / safe[:, None], safe, np.eye(3), cam_from_world)
