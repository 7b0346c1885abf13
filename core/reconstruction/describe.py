"""What a window's model came to, in numbers and in words."""

from collections.abc import Mapping, Sequence

import numpy as np

from core.formats.window_info import CameraInfo, FrameInfo, WindowInfo
from core.geometry.colmap import pycolmap
from core.reconstruction.bundle import median_angle_deg
from core.reconstruction.settings import FrameRequest
from core.reconstruction.windowing import Pair

_FEW_MATCHES = 30


def describe(
    window: int,
    model: pycolmap.Reconstruction,
    frames: Sequence[FrameRequest],
    reasons: Mapping[int, str],
    *,
    backend: str,
    method: str,
    notes: Sequence[str] = (),
) -> WindowInfo:
    """The facts about a solved window; `reasons`, by image id, why a frame is not in the model."""
    registered = set(model.reg_image_ids())
    model.update_point_3d_errors()
    return WindowInfo(
        window=window,
        first_frame=frames[0].number,
        status="done",
        backend=backend,
        method=method,
        notes=list(notes),
        frames=[_frame(model, one, one.image_id in registered, reasons.get(one.image_id)) for one in frames],
        points=model.num_points3D(),
        observations=model.compute_num_observations(),
        mean_reproj_error_px=model.compute_mean_reprojection_error(),
        mean_track_length=model.compute_mean_track_length(),
        median_angle_deg=median_angle_deg(model),
        cameras=[
            CameraInfo(model=camera.model_name, width=camera.width, height=camera.height, params=list(camera.params))
            for _, camera in sorted(model.cameras.items())
        ],
    )


def _frame(model: pycolmap.Reconstruction, frame: FrameRequest, registered: bool, reason: str | None) -> FrameInfo:
    if not registered:
        return FrameInfo(name=frame.name, registered=False, reason=reason or "not placed")
    image = model.image(frame.image_id)
    errors = [model.point3D(point.point3D_id).error for point in image.get_observation_points2D()]
    mean = float(np.mean(errors)) if errors else None
    return FrameInfo(name=frame.name, registered=True, observations=len(errors), mean_reproj_error_px=mean)


def why_not_placed(frame: FrameRequest, matches: Mapping[Pair, int]) -> str:
    """Why a frame is in no model, going by its features and matches in the window."""
    if frame.features is None:
        return frame.reason or "it could not be read"
    own = [count for pair, count in matches.items() if frame.number in pair]
    if not own:
        return "it matches no other frame here: blank, blurred, or of another place"
    return f"its matches (at most {max(own)} with one frame) do not fit the model"


NO_DEPTH = "the camera hardly moves, or only turns (try larger windows)"
NO_AGREEMENT = "the camera moves, but the matches do not hold together: too few, or wrong (dark, blurred, repeating?)"


def why_unsolved(frames: Sequence[FrameRequest], matches: Mapping[Pair, int], moves: bool) -> str:
    """Why a window has no model; `moves`: turning of the camera does not explain the matches."""
    usable = [frame for frame in frames if frame.features is not None]
    if len(frames) == 1:
        return "one frame: a model needs two views at least"
    if len(usable) < 2:
        first = next((f"; {one.name}: {one.reason}" for one in frames if one.reason), "")
        return f"{len(usable)} of {len(frames)} frames can be used{first}"
    if not matches:
        return f"no two of its {len(usable)} frames match: blank, blurred, or of different places"
    linked = len({number for pair in matches for number in pair})
    few = f"only {linked} of its {len(frames)} frames match any other; " if linked < len(frames) else ""
    best = max(matches, key=lambda pair: (matches[pair], pair))
    names = {frame.number: frame.name for frame in frames}
    pair = f"{names[best[0]]} and {names[best[1]]} share {matches[best]} matches"
    if matches[best] < _FEW_MATCHES:
        return f"{few}too few matches ({pair}, and that is the most)"
    if moves:
        return f"{few}{pair}: {NO_AGREEMENT}"
    return f"{few}no start with enough parallax, though {pair}: {NO_DEPTH}"
