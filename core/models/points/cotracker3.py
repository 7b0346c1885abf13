"""CoTracker3 (Karaev et al., "CoTracker3: Simpler and better point tracking by pseudo-labelling real videos", 2024),
from the package its user installs; tracks in one camera, lifted with depth."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from core.errors import BadMedia, Unavailable
from core.geometry.sim3 import Array
from core.models.backoff import is_out_of_memory
from core.models.device import default_device
from core.models.points.one_view import best_cameras, lift, track_in_best_cameras
from core.models.points.parts import Parts
from core.models.roles import PointTracks
from core.progress import Progress
from core.rgbd.clip import ClipView
from core.store.safe_load import load_pth


def load_cotracker3(path: Path, online: bool) -> "CoTracker3":
    """The package's predictor with the weights at `path`: tensors only. Raises `Unavailable` where they do not fit."""
    from cotracker.predictor import CoTrackerOnlinePredictor, CoTrackerPredictor

    make = CoTrackerOnlinePredictor if online else CoTrackerPredictor
    predictor = make(checkpoint=None, window_len=16 if online else 60, offline=not online)
    weights = load_pth(path)
    try:
        predictor.model.load_state_dict(weights.get("model", weights))
    except (RuntimeError, AttributeError, TypeError) as error:
        raise Unavailable(f"{path} does not hold CoTracker3's weights: {str(error)[:300]}") from None
    return CoTracker3(predictor, online)


class CoTracker3:
    """See `core.models.roles.PointTracker`. Each point is tracked in the camera that sees it best.

    Args:
        predictor: `CoTrackerPredictor`, or `CoTrackerOnlinePredictor`.
        online: which of them; online reads the video in pieces, so that memory does not grow with its length.
    """

    def __init__(self, predictor: Any, online: bool) -> None:
        self._device = default_device()
        self._predictor = predictor.eval().to(self._device)
        self._online = online
        self._parts = Parts()
        self._video: tuple[object, torch.Tensor] | None = None

    def track(self, view: ClipView, queries: Array, support: Array, report: Progress) -> PointTracks:
        """See `PointTracker.track`. Raises `BadMedia` where not even the video fits into memory."""
        if not self._online:
            self._load_first(view, queries)
        return self._parts.track(queries, support, lambda points: self._track(view, points, report))

    def _track(self, view: ClipView, points: Array, report: Progress) -> PointTracks:
        def track(
            camera: int, chosen: Array, queries_xy: Array
        ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
            xy, seen = self._in_camera(view, camera, queries_xy[:, 0], queries_xy[:, 1:], report)
            return lift(view, camera, chosen, xy, seen)

        return track_in_best_cameras(view, points, track)

    @torch.inference_mode()
    def _in_camera(
        self, view: ClipView, camera: int, frames: Array, xy: Array, report: Progress
    ) -> tuple[Array, npt.NDArray[np.bool_]]:
        """Pixels [T, N, 2] of the view, and whether they are visible [T, N].

        The model is given images of its own size, so that pixels are rescaled once and by us: corners to corners.
        """
        height, width = self._predictor.interp_shape
        small = view.of_size((width, height))
        scale = np.array([width / view.size[0], height / view.size[1]])
        queries_xy = np.column_stack([frames, (xy + 0.5) * scale - 0.5]).astype(np.float32)
        queries = torch.from_numpy(queries_xy)[None].to(self._device)
        if self._online:
            tracks, visible = self._run_online(small, camera, queries, report)
        else:
            # Asking for a grid, too, would leave out the support grid of 6 x 6 that the model expects.
            tracks, visible = self._predictor(self._whole(small, camera), queries=queries)
            report(view.frames, view.frames)
        found = tracks[0, : view.frames].float().cpu().numpy().astype(float)
        return (found + 0.5) / scale - 0.5, visible[0, : view.frames].cpu().numpy().astype(bool)

    def _load_first(self, view: ClipView, queries: Array) -> None:
        """Have the first camera's video before points are tried: fewer of them would not make it smaller."""
        height, width = self._predictor.interp_shape
        try:
            self._whole(view.of_size((width, height)), int(best_cameras(view, queries)[0].min()))
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            reason = f"{view.frames} frames do not fit into memory: use cotracker3_online, or a --temporal-stride"
            raise BadMedia(reason) from None

    def _whole(self, small: ClipView, camera: int) -> torch.Tensor:
        """The video [1, T, 3, H, W], 0..255; kept from batch to batch."""
        name = (small.clip.folder, small.source_frames.tobytes(), small.size, camera)
        if self._video is None or self._video[0] != name:
            self._video = None
            self._video = (name, self._tensor(small, camera, range(small.frames)))
        return self._video[1]

    def _run_online(
        self, small: ClipView, camera: int, queries: torch.Tensor, report: Progress
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Pieces of two steps, each beginning a step after the other; results are cumulative."""
        step = int(self._predictor.step)
        pieces = _pieces(small.frames, step)
        first = self._tensor(small, camera, range(min(small.frames, 1)))
        self._predictor(video_chunk=first, is_first_step=True, queries=queries, add_support_grid=True)
        found: tuple[torch.Tensor, torch.Tensor] | None = None
        for piece in pieces:
            found = self._predictor(video_chunk=self._tensor(small, camera, piece), add_support_grid=True)
            report(min(piece.stop, small.frames), small.frames)
        assert found is not None
        return found

    def _tensor(self, small: ClipView, camera: int, frames: range) -> torch.Tensor:
        """Frames as float [1, T, 3, H, W], 0..255; the last one stands in for those beyond the end."""
        images = np.stack([small.rgb(camera, min(frame, small.frames - 1)) for frame in frames])
        return torch.from_numpy(images).to(self._device).permute(0, 3, 1, 2).float()[None]


def _pieces(frames: int, step: int) -> Iterator[range]:
    """Two steps of frames each, from step to step; also of a clip that is shorter than that."""
    for start in range(0, max(frames - step, 1), step):
        yield range(start, start + 2 * step)
