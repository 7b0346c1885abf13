"""The page about a reconstruction: how good it is, from above, and window by window."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from core.errors import BadMedia
from core.formats.alignment_json import Alignment
from core.formats.window_info import WindowInfo
from core.geometry.colmap import pycolmap
from core.geometry.sim3 import Array
from core.report.page import FAILED, Page, Picture, Section, Table, look_first, write_run_page
from core.report.plot import Plot, Series
from core.report.run_facts import RunFacts, run_sections
from core.video.image_file import read_image

_MOST_DOTS = 3000
_MOST_ROWS = 200
_MOST_DOUBTFUL, _LARGE_ERROR_PX = 8, 1.5


class FailedWindow(BaseModel):
    """A window without a model."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    window: int
    first_frame: int
    names: list[str]
    reason: str


class ReportRequest(BaseModel):
    """What the page is about: folders of solved windows and of the merged model, files of frames by name."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    title: str
    backend: str
    windows: list[Path]
    failed: list[FailedWindow]
    merged: Path | None
    pictures: dict[str, Path] = Field(default_factory=dict)
    facts: list[tuple[str, str]]
    run: RunFacts = Field(default_factory=RunFacts)
    failures: list[tuple[str, str]]


def write_report(
    folder: Path,
    request: ReportRequest,
    windows: Sequence[WindowInfo],
    alignment: Alignment | None,
    model: pycolmap.Reconstruction | None,
) -> None:
    """Write the page.

    Args:
        folder: where the page goes.
        request: title, facts, what failed, and the run.
        windows: all, also those that failed.
        alignment: of the merged model, if there is one.
        model: the merged model, if there is one.
    """
    failures = request.failures
    sections = [_look_first(windows, alignment, request.pictures)]
    if alignment is not None and model is not None:
        sections.append(_top_view(windows, alignment, model))
    sections.append(_errors(windows, alignment, model))
    if failures:
        sections.append(Section("What failed", table=Table(("what", "why"), failures[:_MOST_ROWS]), rank=FAILED))
    sections.append(Section("Windows", _ABOUT_WINDOWS, table=_window_table(windows, alignment)))
    if alignment is not None and alignment.pairs:
        sections.append(Section("Pairs of windows", _ABOUT_PAIRS, table=_pair_table(alignment)))
    sections.append(Section("How it was reconstructed", table=Table(("", ""), request.facts)))
    sections += run_sections(request.run)
    write_run_page(folder, Page(request.title, _figures(windows, alignment), sections))


_ABOUT_WINDOWS = (
    "angle: median under which a point is seen; under 2° depths are weak: larger windows, or fewer frames a second, "
    "help. residual: distance of the window's points from the merged model's, as a share of their depth."
)
_ABOUT_PAIRS = (
    "Each pair by itself: how many points both have, how many one similarity explains. Pairs without frames in common "
    "share matches only."
)


def _figures(windows: Sequence[WindowInfo], alignment: Alignment | None) -> list[tuple[str, str]]:
    figures = [("windows solved", f"{sum(one.status == 'done' for one in windows)} of {len(windows)}")]
    if alignment is None:
        return [*figures, ("merged model", "none")]
    figures += [
        ("windows merged", str(sum(one.status == "aligned" for one in alignment.windows))),
        ("frames in the merged model", f"{alignment.registered} of {alignment.frames}"),
        ("points", f"{alignment.points:,}"),
        ("mean reprojection error", f"{alignment.mean_reproj_error_px:.2f} px"),
        ("views of a point", f"{alignment.mean_track_length:.1f}"),
    ]
    known = alignment.reference
    if known is not None:
        figures.append(("position error (RMSE)", f"{known.position_rmse:.3g}"))
        if known.rotation_mean_deg is not None:
            figures.append(("rotation error (mean)", f"{known.rotation_mean_deg:.2f}°"))
    return figures


def _look_first(windows: Sequence[WindowInfo], alignment: Alignment | None, pictures: Mapping[str, Path]) -> Section:
    """Windows that failed or were not merged, and of the others those with the largest error or frames left out."""
    merged = None if alignment is None else {one.window: one for one in alignment.windows}
    doubts: list[tuple[float, WindowInfo, str]] = []
    for one in windows:
        errors = [frame.mean_reproj_error_px for frame in one.frames if frame.mean_reproj_error_px is not None]
        missing = sum(not frame.registered for frame in one.frames)
        aligned = None if merged is None else merged.get(one.window)
        if one.status != "done":
            doubts.append((3.0, one, one.reason or one.status))
        elif aligned is not None and aligned.status != "aligned":
            doubts.append((2.0, one, f"not merged: {aligned.reason or aligned.status}"))
        elif missing:
            doubts.append((missing / len(one.frames), one, f"{missing} of {len(one.frames)} frames are not registered"))
        elif errors and max(errors) > _LARGE_ERROR_PX:
            doubts.append((0.0, one, f"a frame with an error of {max(errors):.2f} px"))
    worst = sorted(doubts, key=lambda doubt: -doubt[0])[:_MOST_DOUBTFUL]
    rows = [(f"window {one.window}", why) for _, one, why in worst]
    table = Table(("window", "why"), rows) if rows else None
    shown = [picture for _, one, why in worst if (picture := _first_frame(one, why, pictures)) is not None]
    return look_first("", table, shown)


def _first_frame(window: WindowInfo, why: str, pictures: Mapping[str, Path]) -> Picture | None:
    path = pictures.get(window.frames[0].name) if window.frames else None
    if path is None:
        return None
    try:
        return Picture(read_image(path, upright=False), f"window {window.window}, its first frame: {why}")
    except (BadMedia, OSError):  # changed since
        return None


def _top_view(windows: Sequence[WindowInfo], alignment: Alignment, model: pycolmap.Reconstruction) -> Section:
    images = {model.image(i).name: model.image(i) for i in sorted(model.reg_image_ids())}
    centres = {name: np.asarray(image.projection_center(), float) for name, image in images.items()}
    up = -np.mean([image.cam_from_world().rotation.matrix()[1] for image in images.values()], axis=0)
    axes = _from_above(up, np.mean([i.cam_from_world().rotation.matrix()[2] for i in images.values()], axis=0))
    ids = sorted(model.point3D_ids())
    dots = np.array([model.point3D(i).xyz for i in ids[:: max(1, len(ids) // _MOST_DOTS)]], float).reshape(-1, 3)
    seen = np.array(list(centres.values()))
    middle = np.median(dots, axis=0) if len(dots) else seen.mean(0)
    reach = 2.5 * np.median(np.linalg.norm(np.concatenate([dots, seen]) - middle, axis=1))
    dots = dots[np.linalg.norm(dots - middle, axis=1) < max(reach, np.linalg.norm(seen - middle, axis=1).max())]
    aligned = {one.window for one in alignment.windows if one.status == "aligned"}
    series = [Series("points", 0, dots @ axes.T), Series("path", 0, seen @ axes.T, line=True)]
    for window in windows:
        own = [centres[frame.name] for frame in window.frames if frame.name in centres]
        if window.window in aligned and own:
            series.append(Series(f"window {window.window}", window.window + 1, np.array(own) @ axes.T))
    note = f"Cameras in the colours of their windows (the last one, where several have them); frame: {alignment.frame}."
    return Section("From above", note, plots=[Plot("Cameras and points, seen from above.", series, equal=True)])


def _from_above(up: Array, ahead: Array) -> Array:
    """Two axes [2, 3] of the ground: right, and the way cameras look."""
    up = up / max(float(np.linalg.norm(up)), 1e-12)
    ahead = ahead - up * float(up @ ahead)
    if np.linalg.norm(ahead) < 1e-6:
        ahead = np.cross(up, [1.0, 0.0, 0.0])
    ahead = ahead / np.linalg.norm(ahead)
    return np.stack([np.cross(ahead, up), ahead])


def _errors(
    windows: Sequence[WindowInfo], alignment: Alignment | None, model: pycolmap.Reconstruction | None
) -> Section:
    plots = []
    series = []
    for window in windows:
        known = [
            (window.first_frame + place + 1, frame.mean_reproj_error_px)
            for place, frame in enumerate(window.frames)
            if frame.mean_reproj_error_px is not None
        ]
        if known:
            series.append(Series(f"window {window.window}", window.window + 1, np.array(known, float), line=True))
    if model is not None:
        series.append(Series("merged", 0, _frame_errors(model), line=True))
    if series:
        caption = "Mean reprojection error of each frame, in its windows (coloured) and in the merged model (grey)."
        plots.append(Plot(caption, series, "frame", "px"))
    if alignment is not None and alignment.frame_errors:
        number = {w.frames[n].name: w.first_frame + n + 1 for w in windows for n in range(len(w.frames))}
        away = np.array([(number.get(one.name, 0), one.position) for one in alignment.frame_errors], float)
        plots.append(Plot("Distance from the reference, after alignment.", [Series("", 1, away, True)], "frame", ""))
        turned = [(number.get(e.name, 0), e.rotation_deg) for e in alignment.frame_errors if e.rotation_deg is not None]
        if turned:
            curve = Series("", 2, np.array(turned, float), True)
            plots.append(Plot("Angle to the reference, after alignment.", [curve], "frame", "degrees"))
    return Section("Errors", plots=plots)


def _frame_errors(model: pycolmap.Reconstruction) -> Array:
    found = []
    for image_id in sorted(model.reg_image_ids()):
        points = model.image(image_id).get_observation_points2D()
        errors = [model.point3D(point.point3D_id).error for point in points]
        if errors:
            found.append((image_id, float(np.mean(errors))))
    return np.array(found, float).reshape(-1, 2)


def _window_table(windows: Sequence[WindowInfo], alignment: Alignment | None) -> Table:
    placed = {} if alignment is None else {one.window: one for one in alignment.windows}
    rows = []
    for window in windows[:_MOST_ROWS]:
        frames = f"{window.first_frame + 1}-{window.first_frame + len(window.frames)}"
        if window.status == "failed":
            rows.append([f"{window.window}", frames, f"0 of {len(window.frames)}", *[""] * 6, window.reason or ""])
            continue
        at = placed.get(window.window)
        focal = f"{window.cameras[0].params[0]:.0f}" if window.cameras else ""
        missing = [f"{frame.name}: {frame.reason}" for frame in window.frames if not frame.registered]
        remarks = "; ".join([*window.notes, *([at.reason] if at is not None and at.reason else []), *missing[:2]])
        rows.append(
            [
                f"{window.window}",
                frames,
                f"{window.registered} of {len(window.frames)}",
                f"{window.points:,}",
                f"{window.mean_reproj_error_px or 0:.2f}",
                f"{window.mean_track_length or 0:.1f}",
                f"{window.median_angle_deg or 0:.1f}°",
                focal,
                "" if at is None or at.median_residual is None else f"{at.median_residual:.2%}",
                f"{window.method}; {remarks}" if remarks else window.method or "",
            ]
        )
    heads = ("window", "frames", "registered", "points", "error px", "views", "angle", "focal px", "residual", "")
    return Table(heads, rows)


def _pair_table(alignment: Alignment) -> Table:
    rows = [
        [
            f"{pair.source} – {pair.target}",
            str(pair.shared_frames),
            f"{pair.points:,}",
            f"{pair.inliers / max(pair.points, 1):.0%}",
            "" if pair.target_from_source is None else f"{pair.target_from_source.scale:.3f}",
            "" if pair.median_residual is None else f"{pair.median_residual:.2%}",
            pair.reason or "",
        ]
        for pair in alignment.pairs[:_MOST_ROWS]
    ]
    return Table(("windows", "frames", "points", "inliers", "scale", "residual", ""), rows)
