"""The work of one item: a window's COLMAP model from the shared features and matches."""

from collections import defaultdict
from collections.abc import Sequence
from itertools import count
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict

from core.errors import BadMedia
from core.formats.window_info import WindowInfo, write_window_info
from core.geometry.colmap import pycolmap
from core.item import item
from core.progress import Progress
from core.reconstruction.bundle import bundle_adjust
from core.reconstruction.complete import complete
from core.reconstruction.describe import NO_AGREEMENT, NO_DEPTH, describe, why_not_placed, why_unsolved
from core.reconstruction.features import Features
from core.reconstruction.mapping import Mapped, clean, is_solved, map_window
from core.reconstruction.reversal import better_reversed
from core.reconstruction.settings import SPARSE, CameraSettings, FrameRequest, MatchFile, SolveSettings
from core.reconstruction.turning import surely_moves, turning_miss_px

_A_PAIR = 2


class WindowRequest(BaseModel):
    """A window: its number, frames, and where their matches are."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    window: int
    frames: list[FrameRequest]
    matches: list[MatchFile]
    camera: CameraSettings
    settings: SolveSettings


@item(WindowRequest)
def solve_window(request: WindowRequest, folder: Path, report: Progress) -> WindowInfo:
    """Leave a window's model in `sparse/` (binary COLMAP, `points.ply`) and what it is like in `window_info.*`.

    The points an image sees are numbered as its features are: that is how windows share them.

    Returns:
        The `WindowInfo`.

    Raises:
        BadMedia: there is no model; the message says why.
    """
    report(0, len(request.frames))
    limit = request.settings.max_reproj_error
    placed, total = count(1), len(request.frames)
    miss_px = turning_miss_px(request.frames, request.matches, _focal_px(request))
    if miss_px is not None:
        raise BadMedia(f"{NO_DEPTH}: one rotation explains the matches of each pair to within {miss_px:.2f} px")
    mapped = map_window(
        request.frames,
        request.camera,
        request.matches,
        request.settings.mapper,
        limit,
        lambda: report(next(placed), total),
    )
    if mapped.model is None:
        raise BadMedia(why_unsolved(request.frames, mapped.matches, _surely_moves(request)))
    model: pycolmap.Reconstruction = mapped.model
    notes: list[str] = []
    if request.settings.bundle_adjustment:
        model, notes = _adjusted(mapped, request)
    colour_points(model, request.frames)
    write_model(model, folder / SPARSE)
    reasons = {frame.image_id: why_not_placed(frame, mapped.matches) for frame in request.frames}
    info = describe(request.window, model, request.frames, reasons, backend="colmap", method=mapped.mapper, notes=notes)
    write_window_info(folder, info)
    report(info.registered, len(request.frames))
    return info


def _focal_px(request: WindowRequest) -> float:
    largest = max(max(frame.width, frame.height) for frame in request.frames)
    return request.camera.focal_px or request.camera.focal * largest


def _surely_moves(request: WindowRequest) -> bool:
    return surely_moves(request.frames, request.matches, _focal_px(request))


def _adjusted(mapped: Mapped, request: WindowRequest) -> tuple[pycolmap.Reconstruction, list[str]]:
    """A model after bundle adjustment, and what is to be noted of it.

    Two views under small angles hold so loosely that adjusting can let go of them: where it is sure that the camera
    moves, they stay as they were mapped. Raises `BadMedia` where the model falls apart otherwise.
    """
    assert mapped.model is not None
    limit = request.settings.max_reproj_error
    model = pycolmap.Reconstruction(mapped.model)
    notes: list[str] = []
    bundle_adjust(model, request.camera.fixed, limit)
    other = better_reversed(model)
    if other is not None:
        complete(other, request.frames, request.camera, request.matches)
        bundle_adjust(other, request.camera.fixed, limit)
        model, notes = other, ["depth reversed: that explains the small motion better than what the mapper found"]
    clean(model, limit)
    if is_solved(model, mapped.usable):
        return model, notes
    moves = _surely_moves(request)
    if mapped.usable == _A_PAIR and moves:
        return mapped.model, ["not adjusted: two views under small angles do not hold each other"]
    left = f"{model.num_reg_images()} of {len(request.frames)} frames and {model.num_points3D()} points"
    raise BadMedia(f"{NO_AGREEMENT if moves else NO_DEPTH}: {left} are left after bundle adjustment")


def colour_points(model: pycolmap.Reconstruction, frames: Sequence[FrameRequest]) -> None:
    """Give each point the mean colour of the features that see it."""
    seen: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for point_id in model.point3D_ids():
        for element in model.point3D(point_id).track.elements:
            seen[element.image_id].append((point_id, element.point2D_idx))
    sums: dict[int, np.typing.NDArray[np.float64]] = defaultdict(lambda: np.zeros(4))
    for frame in frames:
        if frame.features is not None and frame.image_id in seen:
            colours = Features.read(frame.features).colours
            for point_id, index in seen[frame.image_id]:
                sums[point_id] += (*colours[index].astype(float), 1.0)
    for point_id, total in sums.items():
        model.point3D(point_id).color = np.round(total[:3] / total[3]).astype(np.uint8)


def write_model(model: pycolmap.Reconstruction, folder: Path) -> None:
    """Write a COLMAP model, binary, and its points as PLY."""
    folder.mkdir(parents=True, exist_ok=True)
    model.write(folder)
    model.export_PLY(folder / "points.ply")
