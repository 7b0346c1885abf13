"""MVTracker (Rajic et al., "Multi-view 3D point tracking", ICCV 2025), from the package its user installs."""

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch

from core.errors import MaskflowError, Unavailable
from core.geometry.sim3 import Array
from core.models.device import default_device
from core.models.points.one_view import valid_from
from core.models.points.parts import Parts
from core.models.roles import PointTracks
from core.progress import Progress
from core.rgbd.clip import ClipView
from core.store.safe_load import load_pth

_SIZE = 512, 384
_WINDOW = 12
# The published model, as its repository builds it.
_MODEL = {
    "sliding_window_len": _WINDOW, "stride": 4, "normalize_scene_in_fwd_pass": False, "fmaps_dim": 128,
    "add_space_attn": True, "num_heads": 6, "hidden_size": 256, "space_depth": 6, "time_depth": 6,
    "num_virtual_tracks": 64, "use_flash_attention": True, "corr_n_groups": 1, "corr_n_levels": 4, "corr_neighbors": 16,
    "corr_add_neighbor_offset": True, "corr_add_neighbor_xyz": False, "corr_filter_invalid_depth": False,
}  # fmt: skip
_PREDICTOR = {
    "interp_shape": None, "visibility_threshold": 0.5, "grid_size": 4, "n_grids_per_view": 1, "local_grid_size": 18,
    "local_extent": 50, "sift_size": 0, "num_uniformly_sampled_pts": 0, "n_iters": 6,
}  # fmt: skip


def load_mvtracker(path: Path) -> "MvTracker":
    """The package's predictor with the weights at `path`: tensors only. Raises `Unavailable` where they do not fit."""
    from mvtracker.models.core.mvtracker.mvtracker import MVTracker
    from mvtracker.models.evaluation_predictor_3dpt import EvaluationPredictor

    weights = load_pth(path)
    try:
        weights = weights.get("state_dict", weights.get("model", weights))
        model = MVTracker(**_MODEL)
        model.load_state_dict({name.removeprefix("model."): value for name, value in weights.items()})
    except (RuntimeError, AttributeError, TypeError) as error:
        raise Unavailable(f"{path} does not hold MVTracker's weights: {str(error)[:300]}") from None
    return MvTracker(EvaluationPredictor(multiview_model=model, **_PREDICTOR))


class MvTracker:
    """See `core.models.roles.PointTracker`. All cameras are looked at together.

    Args:
        predictor: `EvaluationPredictor`, which is given images of its own size.
    """

    def __init__(self, predictor: Any) -> None:
        self._device = default_device()
        self._predictor = predictor.eval().to(self._device)
        self._parts = Parts()
        self._inputs: tuple[object, dict[str, torch.Tensor]] | None = None
        sys.modules["ipdb"] = _no_debugger()  # where a value is not finite, the package waits for a person

    def track(self, view: ClipView, queries: Array, support: Array, report: Progress) -> PointTracks:
        """See `PointTracker.track`."""
        inputs = self._tensors(view.of_size(_SIZE))
        tracks = self._parts.track(queries, support, lambda points: self._track(view.frames, inputs, points))
        report(view.frames, view.frames)
        return tracks

    @torch.inference_mode()
    def _track(self, frames: int, inputs: dict[str, torch.Tensor], points: Array) -> PointTracks:
        queries = torch.from_numpy(points.astype(np.float32))[None].to(self._device)
        found = self._predictor(query_points_3d=queries, **inputs)
        xyz = found["traj_e"][0, :frames].float().cpu().numpy()
        visible = found["vis_e"][0, :frames].cpu().numpy().astype(bool)
        return valid_from(points, xyz, visible)

    def _tensors(self, small: ClipView) -> dict[str, torch.Tensor]:
        """The clip as the model wants it, kept from batch to batch.

        Colours go in as 0..255: the network divides by 255 itself. Clips under a window are made longer by their last
        frame: of six frames or fewer the model returns zeros.
        """
        name = (small.clip.folder, small.source_frames.tobytes())
        if self._inputs is None or self._inputs[0] != name:
            self._inputs = None
            frames = np.minimum(np.arange(max(small.frames, _WINDOW)), small.frames - 1)
            cameras = range(small.cameras)
            rgbs = np.stack([[small.rgb(camera, frame).transpose(2, 0, 1) for frame in frames] for camera in cameras])
            depths = np.stack([[small.depth(camera, frame)[None] for frame in frames] for camera in cameras])
            arrays = {
                "rgbs": rgbs, "depths": depths, "intrs": small.intrinsics[:, frames],
                "extrs": small.cam_from_world[:, frames],
            }  # fmt: skip
            tensors = {key: torch.from_numpy(array).to(self._device).float()[None] for key, array in arrays.items()}
            self._inputs = (name, tensors)
        return self._inputs[1]


def _no_debugger() -> ModuleType:
    def set_trace() -> None:
        raise MaskflowError("mvtracker: coordinates are not finite: are depths, poses and units right?")

    module = ModuleType("ipdb")
    module.set_trace = set_trace  # type: ignore[attr-defined]
    return module
