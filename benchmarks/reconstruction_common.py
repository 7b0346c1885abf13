"""Windows and merged models made item by item, without Prefect, and plain pycolmap beside it, for the benchmarks."""

import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from scipy.spatial.transform import Rotation

from benchmarks.common import DATA
from core.errors import MaskflowError
from core.formats.alignment_json import ReferenceErrors
from core.geometry.colmap import pycolmap
from core.reconstruction.camera_item import calibrate
from core.reconstruction.features_item import extract_features
from core.reconstruction.loops_item import find_loops
from core.reconstruction.merge_item import merge_windows
from core.reconstruction.pairs_item import match_pairs
from core.reconstruction.reference import align_with_reference
from core.reconstruction.settings import PAIRS_FILE, SPARSE
from core.reconstruction.window_item import solve_window
from core.reconstruction.windowing import Pair, sequential_pairs, sliding_windows

OVERLAP, MAX_SIDE, MAX_FEATURES = 2, 1024, 4096


@dataclass(frozen=True)
class Set:
    """Frames with known cameras: name, images, a file of reference poses."""

    name: str
    images: list[Path]
    reference: Path


def strecha(name: str, folder: Path) -> Set:
    """One of Strecha's photograph sets."""
    images = sorted((DATA / "strecha" / name / "images").glob("*.jpg"))
    poses = {}
    for image in images:
        lines = (DATA / "strecha" / name / "gt_dense_cameras" / f"{image.name}.camera").read_text().splitlines()
        rows = [[float(value) for value in line.split()] for line in lines[4:8]]
        poses[image.name] = (np.array(rows[:3]), np.array(rows[3]))
    return Set(name, images, _write(folder / f"{name}.txt", poses))


def kitchen(folder: Path, count: int, step: int = 1, start: int = 0) -> Set:
    """Frames of the RGB-D kitchen, world-from-camera matrices beside them."""
    images = sorted((DATA / "rgbd_kitchen").glob("*.color.jpg"))[start::step][:count]
    poses = {}
    for image in images:
        matrix = np.loadtxt(image.with_name(image.name.replace("color.jpg", "pose.txt")))
        poses[image.name] = (matrix[:3, :3], matrix[:3, 3])
    return Set(f"kitchen, {count} frames", images, _write(folder / "kitchen.txt", poses))


def _write(path: Path, poses: dict[str, tuple[Any, Any]]) -> Path:
    lines = []
    for name, (rotation, position) in poses.items():
        values = [*position, *Rotation.from_matrix(rotation).as_quat()]
        lines.append(f"{name} {' '.join(f'{value:.9g}' for value in values)}")
    path.write_text("\n".join(lines) + "\n")
    return path


def quiet(done: int, expected: int | None) -> None:
    """Progress that nobody looks at."""


class Reconstruction:
    """The flow's items, one after another, in a temporary folder."""

    def __init__(self, images: Sequence[Path], folder: Path) -> None:
        self.images, self.folder = list(images), folder
        self.frames: list[dict[str, Any]] = []
        self.matches: list[dict[str, Any]] = []
        self.camera: dict[str, Any] = {}
        self.solved: list[int] = []

    def extract(self, numbers: Sequence[int]) -> None:
        """Features of some frames."""
        folder = Path(tempfile.mkdtemp(dir=self.folder))
        settings = {"max_image_size": MAX_SIDE, "max_features": MAX_FEATURES}
        request = {"frames": [{"image": str(self.images[n])} for n in numbers], "settings": settings}
        reported = extract_features(request, folder, quiet)["frames"]
        self.frames = [
            {
                "number": number,
                "name": self.images[number].name,
                "features": str(folder / f"{place}.npz"),
                "width": one["width"],
                "height": one["height"],
            }
            for place, (number, one) in enumerate(zip(numbers, reported, strict=True))
        ]

    def match(self, pairs: Sequence[Pair]) -> None:
        """Match pairs of the frames extracted, by their place among them."""
        folder = Path(tempfile.mkdtemp(dir=self.folder))
        frames = [{name: one[name] for name in ("features", "width", "height")} for one in self.frames]
        match_pairs({"frames": frames, "pairs": [list(pair) for pair in pairs]}, folder, quiet)
        self.matches = [{"path": str(folder / PAIRS_FILE), "frames": [one["number"] for one in self.frames]}]

    def pairs(self, window: int) -> list[Pair]:
        """All that the flow would match: the next ones, and loops."""
        near = sequential_pairs(len(self.frames), OVERLAP, window)
        request = {"features": [one["features"] for one in self.frames], "window": window}
        loops = find_loops(request, self.folder, quiet)["pairs"] if len(self.frames) > window else []
        return sorted({*near, *((one, other) for one, other in loops)})

    def calibrate(self) -> None:
        """Decide the focal length."""
        found = calibrate({"frames": self.frames, "matches": self.matches}, self.folder, quiet)
        self.camera = {"model": "SIMPLE_PINHOLE", "shared": True, "focal": found["focal"]}

    def solve(self, number: int, window: range) -> dict[str, Any] | None:
        """A window's `WindowInfo`; None where it has no model."""
        folder = self.folder / f"window_{number:03d}"
        folder.mkdir()
        frames = [self.frames[frame] for frame in window]
        request = {"window": number, "frames": frames, "matches": self.matches, "camera": self.camera, "settings": {}}
        try:
            info = solve_window(request, folder, quiet)
        except MaskflowError as error:
            print(f"window {number}: {error}")
            return None
        self.solved.append(number)
        return info

    def merge(self, reference: Path) -> dict[str, Any]:
        """The merged model's record."""
        folder = self.folder / "merged"
        folder.mkdir()
        windows = [{"window": n, "folder": str(self.folder / f"window_{n:03d}")} for n in self.solved]
        request = {
            "windows": windows,
            "failed": [],
            "frames": self.frames,
            "matches": self.matches,
            "camera": self.camera,
            "settings": {},
            "reference": str(reference),
        }
        return merge_windows(request, folder, quiet)

    def errors(self, number: int, reference: Path) -> ReferenceErrors | None:
        """A window's own, after aligning it alone."""
        model = pycolmap.Reconstruction(self.folder / f"window_{number:03d}" / SPARSE)
        found: ReferenceErrors | None = align_with_reference(model, reference).get("reference")
        return found


def reconstruct(frames: Set, window: int, stride: int, folder: Path) -> tuple[Reconstruction, dict[str, Any], float]:
    """All of it; prints a row for each window. Gives the merged record and the seconds it took."""
    started = time.perf_counter()
    run = Reconstruction(frames.images, folder)
    run.extract(range(len(frames.images)))
    run.match(run.pairs(window))
    run.calibrate()
    for number, one in enumerate(sliding_windows(len(frames.images), window, stride)):
        info = run.solve(number, one)
        if info is not None:
            registered = sum(frame["registered"] for frame in info["frames"])
            known = run.errors(number, frames.reference)
            row(f"window {number}", registered, len(one), info["mean_reproj_error_px"], known)
    merged = run.merge(frames.reference)
    seconds = time.perf_counter() - started
    known = None if merged["reference"] is None else ReferenceErrors.model_validate(merged["reference"])
    row("merged", merged["registered"], merged["frames"], merged["mean_reproj_error_px"], known)
    return run, merged, seconds


def row(name: str, registered: int, frames: int, error_px: float, known: ReferenceErrors | None) -> None:
    """One line of the table."""
    reported = "" if known is None else f"{1000 * known.position_rmse:.1f} mm | {known.rotation_mean_deg or 0:.2f}°"
    print(f"| {name} | {registered}/{frames} | {error_px:.2f} px | {reported} |", flush=True)


def turntable(folder: Path, focal: float, count: int = 16, step_deg: float = 10.0) -> Set:
    """Photographs of a rendered box with textured sides that turns on a table, in front of nothing.

    Args:
        folder: in which they are written.
        focal: focal length, as a share of the longer side.
        count: of photographs.
        step_deg: between one and the next.
    """
    width, height = 640, 480
    f = focal * width
    camera = np.array([[f, 0, width / 2], [0, f, height / 2], [0, 0, 1]])
    rng = np.random.default_rng(0)
    sides = [_texture(rng) for _ in range(5)]
    images, poses = folder / f"turntable {focal:g}", {}
    images.mkdir()
    for number in range(count):
        turn = Rotation.from_euler("y", number * step_deg, degrees=True).as_matrix()
        tilt = Rotation.from_euler("x", 25, degrees=True).as_matrix()
        rotation, translation = tilt @ turn, np.array([0.0, 0.0, 4.5 * focal])
        image = np.full((height, width, 3), 20, np.uint8)
        for side, corners in sorted(
            zip(sides, _box_sides(), strict=True), key=lambda one: -(rotation @ one[1].mean(0))[2]
        ):
            seen = corners @ rotation.T + translation
            if np.dot(np.cross(seen[1] - seen[0], seen[3] - seen[0]), seen.mean(0)) <= 0:
                continue
            pixels = seen @ camera.T
            square = np.array([[0, 0], [255, 0], [255, 255], [0, 255]], np.float32)
            warp = cv2.getPerspectiveTransform(square, (pixels[:, :2] / pixels[:, 2:]).astype(np.float32))
            shown = cv2.warpPerspective(side, warp, (width, height), flags=cv2.INTER_AREA)
            inside = cv2.warpPerspective(np.full(side.shape[:2], 255, np.uint8), warp, (width, height)) > 127
            image[inside] = shown[inside]
        path = images / f"{number:03d}.png"
        cv2.imwrite(str(path), image)
        poses[path.name] = (rotation.T, -rotation.T @ translation)
    name = f"turntable, focal length {focal:g}"
    return Set(name, sorted(images.glob("*.png")), _write(folder / f"turntable {focal:g}.txt", poses))


def _texture(rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """A side of the box: blotches of three sizes."""
    grey = sum(
        weight * cv2.resize(rng.random((cells, cells, 3)), (256, 256), interpolation=cv2.INTER_CUBIC)
        for cells, weight in ((8, 0.4), (24, 0.35), (64, 0.25))
    )
    return np.asarray(np.clip(255 * np.asarray(grey), 0, 255), np.uint8)


def _box_sides() -> list[npt.NDArray[np.float64]]:
    """Corners [4, 3] of four sides and the top, as those of their textures lie, seen from outside; y is down."""
    around = [np.array([[-1, -1, -1], [1, -1, -1], [1, 1, -1], [-1, 1, -1]], float)]
    quarter = Rotation.from_euler("y", 90, degrees=True).as_matrix()
    for _ in range(3):
        around.append(around[-1] @ quarter.T)
    return [*around, np.array([[-1, -1, 1], [1, -1, 1], [1, -1, -1], [-1, -1, -1]], float)]
