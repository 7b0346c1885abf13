"""The built-in point tracker: drift on still surfaces (real RGB-D), accuracy on annotated points, and batches.

`python -m benchmarks.points` runs all; `drift`, `annotated` or `batches` one of them.
"""

import json
import multiprocessing
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks.common import need_data
from benchmarks.point_metrics import THRESHOLDS_PX, WithinPixels, drift, within_pixels
from core.geometry.pinhole import project
from core.models.points.lk import LucasKanade
from core.models.points.patches import sample
from core.models.spec import ModelSpec
from core.points.convert import CameraFiles, convert_rgbd
from core.points.merging import merge_batches
from core.points.queries import queries_from_masks
from core.points.query_item import make_queries
from core.points.settings import SPLIT_FILE, TRACKED_FILE, QuerySettings
from core.points.track_item import track_batch
from core.points.unpack import unpack_clip
from core.rgbd.clip import Clip, ClipView
from core.rgbd.lifting import depth_near
from core.video.flow import dense_flow
from core.video.image_file import read_image

# Outlines in the kitchen's first frame, pixels: still things that stay in view for a while.
REGIONS = {
    "table": [(330, 165), (500, 165), (620, 240), (590, 420), (300, 330), (230, 250)],
    "chair": [(180, 130), (295, 115), (300, 220), (190, 235)],
    "floor": [(20, 300), (170, 300), (220, 470), (20, 470)],
    "everything": [(4, 4), (635, 4), (635, 475), (4, 475)],
}
CAMEL_SIZE, CAMEL_SOURCE = (854, 480), (1920, 1080)
POINTS, LIMIT, FRAMES = 20_000, 5_000, 60


def main() -> None:
    """Run what is requested, or all."""
    parts = {"drift": _drift, "annotated": _annotated, "batches": _batches}
    for name in sys.argv[1:] or parts:
        parts[name]()


def _quiet(*_: object) -> None:
    pass


def _kitchen(folder: Path) -> Clip:
    """The kitchen as a clip: depth moved into the colour camera, whose focal length is about 525 pixels."""
    frames = need_data() / "rgbd_kitchen"
    np.savetxt(folder / "colour.txt", np.array([[525, 0, 319.5], [0, 525, 239.5], [0, 0, 1]]))
    lens = folder / "depth.txt"
    np.savetxt(lens, np.array([[585, 0, 319.5], [0, 585, 239.5], [0, 0, 1]]))
    convert_rgbd([CameraFiles(frames, folder / "colour.txt", lens)], folder / "bare.npz", 1000.0, _quiet)
    with np.load(folder / "bare.npz") as found:
        arrays: dict[str, Any] = dict(found)
    for name, outline in REGIONS.items():
        masks = np.zeros((1, len(arrays["depths"][0]), 480, 640), bool)
        masks[0, 0] = cv2.fillPoly(np.zeros((480, 640), np.uint8), [np.array(outline)], 1) > 0
        arrays[f"sam2_masks/{name}"] = masks
    np.savez(folder / "kitchen.npz", **arrays)
    made = folder / "clip"
    made.mkdir()
    unpack_clip(folder / "kitchen.npz", "sam2_masks", made, _quiet)
    return Clip(made)


def _drift() -> None:
    heads = "points of frame 0 | frame | in view | of these visible | drift: median | p90 | depth alone: median | p90"
    print(f"\n| {heads} |")
    print("|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        clip = _kitchen(Path(folder))
        view = ClipView(clip)
        for name in REGIONS:
            settings = QuerySettings(use_first_frame=True, max_points_per_frame=2000)
            queries = queries_from_masks(clip, name, settings).points.astype(float)
            tracks = LucasKanade().track(view, queries, queries[:0], _quiet)
            for frame in (30, 60, 100, 110, 120, 149):
                lens, pose = view.intrinsics[0, frame], clip.cam_from_world[0, frame]
                xy, depth = project(queries[:, 1:], lens, pose)
                inside = (depth > 0) & (xy > 2).all(1) & (xy < np.array(view.size) - 3).all(1)
                seen = tracks.visible[frame]
                if seen.sum() < 50:
                    continue
                found = drift(tracks.xyz[frame, seen].astype(float), queries[seen, 1:])
                # What poses and depth alone leave: the depth measured where a still point must be.
                measured = depth_near(view.depth(0, frame), np.where(inside[:, None], xy, 0), depth)
                near = inside & (measured > 0) & (np.abs(measured - depth) < 0.1 * depth)
                floor = np.abs(measured - depth)[near]
                print(
                    f"| {name} | {frame} | {inside.mean():.0%} | {seen[inside].mean():.0%} "
                    f"| **{100 * found.median_m:.1f} cm** | {100 * found.p90_m:.1f} cm "
                    f"| {100 * np.median(floor):.1f} cm | {100 * np.percentile(floor, 90):.1f} cm |",
                    flush=True,
                )


def _annotated() -> None:
    heads = " | ".join(f"{t:g} px" for t in THRESHOLDS_PX)
    print(f"\n| BADJA camel | {heads} | average |\n|---|" + "---|" * (len(THRESHOLDS_PX) + 1))
    for name, found in followed_joints(need_data()).items():
        print(f"| {name} | {' | '.join(f'{s:.3f}' for s in found.shares)} | **{found.average:.3f}** |")


def followed_joints(data: Path) -> dict[str, WithinPixels]:
    """How near to the annotated joints of the camel they are followed: by `lk`, and by peers."""
    annotated = json.loads((data / "badja/camel.json").read_text())
    frames = np.array([int(Path(one["image_path"]).stem) for one in annotated])
    scale = np.array(CAMEL_SIZE) / np.array(CAMEL_SOURCE)
    places = np.array([one["joints"] for one in annotated], float)[..., ::-1] * scale
    known = np.array([one["visibility"] for one in annotated])
    with tempfile.TemporaryDirectory() as folder:
        view = ClipView(_flat_clip(Path(folder), sorted((data / "davis2016/JPEGImages/480p/camel").glob("*.jpg"))))
        started = [(joint, int(np.flatnonzero(known[:, joint])[0])) for joint in np.flatnonzero(known.sum(0) > 1)]
        queries = np.array([[frames[k], *places[k, joint] / CAMEL_SIZE[0], 1.0] for joint, k in started])
        tracks = LucasKanade().track(view, queries, queries[:0], _quiet)
        tracked = tracks.xyz[..., :2] / tracks.xyz[..., 2:] * CAMEL_SIZE[0]
        ways = {
            "lk": tracked,
            "OpenCV's flow, frame to frame": _plain_flow(view, queries),
            "DIS flow, frame to frame": _dense_flow(view, queries),
            "nothing moves": np.broadcast_to(queries[:, 1:3] * CAMEL_SIZE[0], tracked.shape),
        }

    def errors(found: np.ndarray) -> np.ndarray:
        return np.array(
            [
                np.linalg.norm(found[frames[k], n] - places[k, joint])
                for n, (joint, first) in enumerate(started)
                for k in range(first + 1, len(frames))
                if known[k, joint] and frames[k] < len(found)
            ]
        )

    return {name: within_pixels(errors(found)) for name, found in ways.items()}


def _flat_clip(folder: Path, images: list[Path]) -> Clip:
    """A video as a clip: everything 1 m away, the camera still, so that a pixel is a place."""
    rgbs = np.stack([read_image(path) for path in images])[None]
    count = len(images)
    lens = np.array([[float(CAMEL_SIZE[0]), 0, 0], [0, CAMEL_SIZE[0], 0], [0, 0, 1]])
    arrays: dict[str, Any] = {
        "rgbs": rgbs,
        "depths": np.ones((1, count, *rgbs.shape[2:4]), np.float32),
        "intrs": lens[None],
        "extrs": np.eye(4)[None, :3],
        "query_points": np.zeros((1, 4)),
    }
    np.savez(folder / "camel.npz", **arrays)
    (folder / "clip").mkdir()
    unpack_clip(folder / "camel.npz", "sam2_masks", folder / "clip", _quiet)
    return Clip(folder / "clip")


def _plain_flow(view: ClipView, queries: np.ndarray) -> np.ndarray:
    """`cv2.calcOpticalFlowPyrLK` from each frame to the next, with its defaults: pixels [T, N, 2]."""
    found = np.zeros((view.frames, len(queries), 2), np.float32)
    xy = (queries[:, 1:3] * CAMEL_SIZE[0]).astype(np.float32)
    before = None
    for frame in range(view.frames):
        grey = cv2.cvtColor(view.rgb(0, frame), cv2.COLOR_RGB2GRAY)
        if before is not None:
            moved, _, _ = cv2.calcOpticalFlowPyrLK(before, grey, xy, xy.copy())
            xy = np.where((queries[:, 0] < frame)[:, None], moved, xy)
        found[frame], before = xy, grey
    return found


def _dense_flow(view: ClipView, queries: np.ndarray) -> np.ndarray:
    """DIS flow from each frame to the next: pixels [T, N, 2]."""
    finder = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    found = np.zeros((view.frames, len(queries), 2), np.float32)
    xy = (queries[:, 1:3] * CAMEL_SIZE[0]).astype(np.float64)
    before = None
    for frame in range(view.frames):
        grey = np.asarray(cv2.cvtColor(view.rgb(0, frame), cv2.COLOR_RGB2GRAY), np.uint8)
        if before is not None:
            moved = xy + sample(dense_flow(finder, before, grey), xy)
            xy = np.where((queries[:, 0] < frame)[:, None], moved, xy)
        found[frame], before = xy, grey
    return found


def _batches() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clip = _kitchen(folder)
        _shorten(clip, FRAMES)
        results = {}
        for title, limit in (("in one", POINTS), ("in batches", LIMIT)):
            made = folder / title
            made.mkdir()
            context = multiprocessing.get_context("spawn")
            with context.Pool(1) as pool:  # a worker of its own, as the flow has it
                results[title] = pool.apply(_track_all, (clip.folder, made, limit))
        whole, split = results["in one"], results["in batches"]
        with np.load(folder / "in one/query.npz") as found:
            points = found["query_points"]
        one, other = (
            merge_batches(
                points, [folder / title / f"{n}/{TRACKED_FILE}" for n in range(int(results[title]["batches"]))]
            )
            for title in results
        )
        fields = ("tracks_3d", "visibilities", "valid")
        same = all(getattr(one, field).tobytes() == getattr(other, field).tobytes() for field in fields)
        print(f"\n{len(points):,} points, {FRAMES} frames, {split['batches']} batches of at most {LIMIT:,}")
        print(f"the same bit for bit: {same}")
        for title, reported in results.items():
            above = f"{reported['above_mib']:.0f} above the start"
            print(f"{title}: peak {reported['peak_mib']:.0f} MiB, {above}, {reported['seconds']:.0f} s")
        print(
            f"batches / one: peak **{split['peak_mib'] / whole['peak_mib']:.2f}**, above start "
            f"**{split['above_mib'] / whole['above_mib']:.2f}**, time **{split['seconds'] / whole['seconds']:.2f}**"
        )


def _shorten(clip: Clip, frames: int) -> None:
    """Fewer frames of the clip: its arrays cut."""
    for name in ("rgbs", "depths", "intrinsics", "poses", *(f"mask_{n}" for n in range(len(REGIONS)))):
        path = clip.folder / f"{name}.npy"
        array = np.load(path)[:, :frames]
        np.save(path, array)
    info = clip.info.model_copy(update={"frames": frames})
    (clip.folder / "clip.json").write_text(info.model_dump_json())


def _track_all(clip: Path, made: Path, limit: int) -> dict[str, float]:
    """Take the points, split them, track every batch, all in this process."""
    queries = {"use_first_frame": True, "max_points_per_frame": POINTS}
    requested = {"clip": str(clip), "instance": "everything", "queries": queries, "split": {"limit": limit}}
    count = len(make_queries(requested, made, _quiet)["sizes"])
    peaks, befores = [], []
    started = time.perf_counter()
    for number in range(count):
        folder = made / str(number)
        folder.mkdir()
        request = {
            "clip": str(clip),
            "batch": str(made / SPLIT_FILE.format(number)),
            "tracker": ModelSpec(backend="lk").model_dump(mode="json"),
            "temporal_stride": 1,
            "spatial_downsample": 1,
        }
        memory = track_batch(request, folder, _quiet)["memory"]
        peaks.append(memory["host_peak_mib"])
        befores.append(memory["host_before_mib"])
    seconds = time.perf_counter() - started
    return {"batches": count, "peak_mib": max(peaks), "above_mib": max(peaks) - befores[0], "seconds": seconds}


if __name__ == "__main__":
    main()
