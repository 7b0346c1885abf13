"""The work of one item: all windows aligned and merged into one model."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict

from core.errors import BadMedia
from core.formats import alignment_json
from core.geometry.colmap import pycolmap
from core.geometry.placing import Placement, place
from core.geometry.robust import align_points
from core.geometry.sim3 import Array
from core.item import Record, item
from core.progress import Progress
from core.reconstruction.anchors import read_anchors, renumber
from core.reconstruction.bundle import bundle_adjust
from core.reconstruction.complete import complete
from core.reconstruction.describe import NO_DEPTH
from core.reconstruction.mapping import clean, is_solved
from core.reconstruction.merge import merge_models
from core.reconstruction.reference import align_with_reference
from core.reconstruction.settings import ALIGNMENT, SPARSE, CameraSettings, FrameRequest, MatchFile, SolveSettings
from core.reconstruction.shared_points import Aligned, WindowModel, align, find_shared, read_window
from core.reconstruction.window_item import colour_points, write_model

_ROUNDS = 2


class WindowFolder(BaseModel):
    """A solved window and where it is."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    window: int
    folder: Path


class MergeRequest(BaseModel):
    """All there is to merge.

    Attributes:
        windows: those that have a model.
        failed: those that have none, with the reason.
        frames: all of the sequence.
        matches: all of them; none where windows do not come from matches.
        camera, settings: as for windows.
        reference: poses to align with.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    windows: list[WindowFolder]
    failed: list[tuple[int, str]]
    frames: list[FrameRequest]
    matches: list[MatchFile]
    camera: CameraSettings
    settings: SolveSettings
    reference: Path | None = None


@item(MergeRequest)
def merge_windows(request: MergeRequest, folder: Path, report: Progress) -> Record:
    """Leave `sparse/`, the one model of all windows, and `alignment.json`, how they lie in it.

    Windows are aligned in pairs on what they share, placed together, and merged; then frames that no window placed are
    registered, tracks continued over all matches, and everything adjusted once more. A window that does not fit the
    others is left out, with its reason.

    Returns:
        The `Alignment` without its lists of pairs and frame errors.

    Raises:
        BadMedia: nothing to merge, or what was merged does not hold together.
    """
    if not request.windows:
        raise BadMedia("no window has a model")
    models = {one.window: pycolmap.Reconstruction(one.folder / SPARSE) for one in request.windows}
    windows = [read_window(number, model) for number, model in sorted(models.items())]
    report(1, 5)
    anchors = [read_anchors(one.window, one.folder, models[one.window]) for one in request.windows]
    bases = [a or w for a, w in zip(anchors, windows, strict=True)]
    by_number = {one.number: one for one in bases}
    pairs = [
        align(by_number[shared.source], by_number[shared.target], shared)
        for shared in find_shared(bases, request.matches)
    ]
    placement = place(sorted(models), [pair.edge for pair in pairs if pair.edge is not None])
    report(2, 5)
    if any(anchors):
        windows, points_xy = renumber(windows, models)
    else:
        points_xy = _points_xy(models.values())
    merged = merge_models(windows, models, placement.world_from_model, points_xy, single_views=any(anchors))
    before = set(merged.reg_image_ids())
    notes = _finish(merged, request, report)
    if request.matches:
        clean(merged, request.settings.max_reproj_error)
        if not is_solved(merged, len(before)):
            left = f"{merged.num_reg_images()} frames and {merged.num_points3D()} points"
            raise BadMedia(f"the merged model falls apart: {left} are left: {NO_DEPTH}")
    notes += _back_to(merged, windows[sorted(models).index(min(placement.world_from_model))])
    reference = None if request.reference is None else align_with_reference(merged, request.reference)
    write_model(merged, folder / SPARSE)
    alignment = _alignment(request, placement, windows, pairs, merged, before)
    if reference is not None:
        notes += reference.pop("notes", [])
        alignment = alignment.model_copy(update=reference)
    alignment = alignment.model_copy(update={"notes": notes})
    alignment_json.write_alignment(folder / ALIGNMENT, alignment)
    report(5, 5)
    return alignment.model_dump(mode="json", exclude={"pairs", "frame_errors"})


def _points_xy(models: Iterable[pycolmap.Reconstruction]) -> dict[int, Array]:
    """The features [N, 2] of each frame, in pixels: the same in every window."""
    found: dict[int, Array] = {}
    for model in models:
        for image_id in model.reg_image_ids():
            if image_id - 1 not in found:
                xy = [point.xy for point in model.image(image_id).points2D]
                found[image_id - 1] = np.array(xy, float).reshape(-1, 2)
    return found


def _back_to(merged: pycolmap.Reconstruction, window: WindowModel) -> list[str]:
    """Move the merged model into a window's frame and scale: bundle adjustment normalises. Notes where it cannot."""
    found = align_points(*_common(window, read_window(-1, merged)))
    if found is None:
        return [f"the merged model could not be moved back into the frame of window {window.number}"]
    back = found.sim3.inverse()
    merged.transform(pycolmap.Sim3d(back.scale, pycolmap.Rotation3d(back.rotation), back.translation))
    return []


def _finish(merged: pycolmap.Reconstruction, request: MergeRequest, report: Progress) -> list[str]:
    """Adjust; with matches, complete and adjust again. Notes where points that one frame alone sees forbid that."""
    limit = request.settings.max_reproj_error
    tied = all(point.track.length() > 1 for point in merged.points3D.values())
    adjust = request.settings.bundle_adjustment and tied
    if adjust:
        bundle_adjust(merged, request.camera.fixed, limit)
    report(3, 5)
    if request.matches:
        for _ in range(_ROUNDS if adjust else 1):
            complete(merged, request.frames, request.camera, request.matches)
            report(3, 5)  # the same again: each of these may take minutes, and silence is taken for a hang
            if adjust:
                bundle_adjust(merged, request.camera.fixed, limit)
                report(3, 5)
        colour_points(merged, request.frames)
    merged.update_point_3d_errors()
    report(4, 5)
    if request.settings.bundle_adjustment and not tied:
        return ["the merged model was not adjusted: windows without tracks have points that one frame alone sees"]
    return []


def _alignment(
    request: MergeRequest,
    placement: Placement,
    windows: Sequence[WindowModel],
    pairs: Sequence[Aligned],
    merged: pycolmap.Reconstruction,
    before: set[int],
) -> alignment_json.Alignment:
    final = read_window(-1, merged)
    placed = [_window(one, placement, final) for one in windows]
    failed = [
        alignment_json.WindowAlignment(window=number, status="failed", reason=why) for number, why in request.failed
    ]
    registered = set(merged.reg_image_ids())
    names = {frame.image_id: frame.name for frame in request.frames}
    root = min(placement.world_from_model)
    return alignment_json.Alignment(
        frame=f"that of window {root}, in its scale",
        frames=len(request.frames),
        registered=len(registered),
        missing=[name for image_id, name in names.items() if image_id not in registered],
        added=[name for image_id, name in names.items() if image_id in registered - before],
        points=merged.num_points3D(),
        observations=merged.compute_num_observations(),
        mean_reproj_error_px=merged.compute_mean_reprojection_error(),
        mean_track_length=merged.compute_mean_track_length(),
        windows=sorted([*placed, *failed], key=lambda one: one.window),
        pairs=[_pair(pair) for pair in pairs],
    )


def _pair(pair: Aligned) -> alignment_json.PairAlignment:
    return alignment_json.PairAlignment(
        source=pair.shared.source,
        target=pair.shared.target,
        shared_frames=pair.shared.frames,
        points=len(pair.shared.depth),
        inliers=pair.inliers,
        target_from_source=None if pair.edge is None else alignment_json.Transform(**pair.edge.sim3.to_json()),
        median_residual=None if pair.edge is None else pair.edge.noise,
        reason=pair.reason,
    )


def _window(window: WindowModel, placement: Placement, merged: WindowModel) -> alignment_json.WindowAlignment:
    """Where a window lies in the finished model, found anew: bundle adjustment has moved everything a little."""
    if window.number in placement.rejected:
        reason = placement.rejected[window.number]
        return alignment_json.WindowAlignment(window=window.number, status="rejected", reason=reason)
    source, target, depth = _common(window, merged)
    found = align_points(source, target, depth)
    return alignment_json.WindowAlignment(
        window=window.number,
        status="aligned",
        merged_from_window=None if found is None else alignment_json.Transform(**found.sim3.to_json()),
        points=len(source),
        inliers=0 if found is None else int(found.inliers.sum()),
        median_residual=None if found is None else found.noise,
    )


def _common(window: WindowModel, merged: WindowModel) -> tuple[Array, Array, Array]:
    """Points that both have, each once: in the window, in the merged model, and their depth there."""
    parts = []
    for frame in sorted(window.points.keys() & merged.points.keys()):
        one, other = window.points[frame], merged.points[frame]
        _, left, right = np.intersect1d(one[0], other[0], assume_unique=True, return_indices=True)
        depth = np.linalg.norm(merged.xyz[other[1, right]] - merged.centres[frame], axis=1)
        parts.append((one[1, left], other[1, right], depth))
    if not parts:
        return np.zeros((0, 3)), np.zeros((0, 3)), np.zeros(0)
    source, target, depth = (np.concatenate(side) for side in zip(*parts, strict=True))
    _, first = np.unique(np.stack([source, target]), axis=1, return_index=True)
    return window.xyz[source[first]], merged.xyz[target[first]], np.maximum(depth[first], 1e-12)
