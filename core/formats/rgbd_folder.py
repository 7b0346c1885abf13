"""Folders of colour images, depth images and poses, one folder a camera, as RGB-D scanners leave them.

`NAME.color.EXT`, `NAME.depth.png`, `NAME.pose.txt` in one folder (7-Scenes, BundleFusion), or folders `color`, `depth`,
`pose` (ScanNet). Depth is 16 bits, 0 and 65535 are not known; poses are 4x4 world-from-camera.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from core.errors import BadMedia
from core.geometry.pinhole import back_project, inverse_pose, project, rescaled
from core.geometry.sim3 import Array, nearest_rotation
from core.rgbd.clip import Depth
from core.video.frames import RGB
from core.video.image_file import SUFFIXES, natural_key, read_image
from core.video.limits import check_size

_KINDS = {"color": ("color", "colour", "rgb"), "depth": ("depth",), "pose": ("pose", "poses")}
_UNKNOWN = 65535


@dataclass(frozen=True)
class RgbdFrame:
    """Files of one frame; `name` is what their names have in common."""

    name: str
    colour: Path
    depth: Path
    pose: Path


def list_frames(folder: Path) -> list[RgbdFrame]:
    """Frames in natural order. Raises `BadMedia` where there are none, or one of the files of a frame is missing."""
    found = {kind: _files(folder, kind) for kind in _KINDS}
    names = sorted(found["color"], key=natural_key)
    if not names:
        raise BadMedia(f"{folder}: no NAME.color.jpg (or color/NAME.jpg) in it")
    for kind in ("depth", "pose"):
        missing = [name for name in names if name not in found[kind]]
        if missing:
            raise BadMedia(f"{folder}: no {kind} of {', '.join(missing[:5])} ({len(missing)} of {len(names)} frames)")
    return [RgbdFrame(name, *(found[kind][name] for kind in ("color", "depth", "pose"))) for name in names]


def _files(folder: Path, kind: str) -> dict[str, Path]:
    suffixes = {".txt"} if kind == "pose" else SUFFIXES
    found: dict[str, Path] = {}
    for word in _KINDS[kind]:
        for path in folder.glob(f"*.{word}.*"):
            if path.suffix.lower() in suffixes:
                found[path.name.partition(f".{word}.")[0]] = path
        for path in (folder / word).glob("*"):
            if path.suffix.lower() in suffixes:
                found[path.stem] = path
    return found


def read_matrix(path: Path, sizes: Sequence[tuple[int, int]]) -> Array:
    """A matrix of one of these sizes from a text file of rows. Raises `BadMedia` where it holds anything else."""
    try:
        text = path.read_text(encoding="utf-8") if path.stat().st_size < 100_000 else ""
        rows = [line.replace(",", " ").split() for line in text.split("\n") if line.strip()]
        values = np.array([[float(part) for part in row] for row in rows])
    except (OSError, ValueError) as error:
        raise BadMedia(f"{path}: not a matrix ({error})") from None
    if values.shape not in sizes:
        raise BadMedia(f"{path}: not a matrix of {' or '.join(f'{rows}x{columns}' for rows, columns in sizes)} numbers")
    return values


def read_intrinsics(path: Path) -> Array:
    """A camera matrix [3, 3], the upper left part of a 4x4 one."""
    matrix = read_matrix(path, [(3, 3), (4, 4)])[:3, :3]
    if not np.isfinite(matrix).all() or matrix[0, 0] <= 0 or matrix[1, 1] <= 0 or not np.allclose(matrix[2], [0, 0, 1]):
        raise BadMedia(f"{path}: not a camera matrix: focal lengths are positive, the last row is 0 0 1")
    return matrix


def read_cam_from_world(path: Path) -> Array | None:
    """Camera-from-world [3, 4] of a file with a 4x4 world-from-camera matrix; None where the scanner lost its place."""
    pose = read_matrix(path, [(4, 4), (3, 4)])
    if not np.isfinite(pose).all():
        return None
    rotation = pose[:3, :3]
    if not np.allclose(rotation @ rotation.T, np.eye(3), atol=1e-2) or np.linalg.det(rotation) < 0:
        raise BadMedia(f"{path}: not a pose: its 3x3 part is no rotation")
    return inverse_pose(np.column_stack([nearest_rotation(rotation), pose[:3, 3]]))


def read_depth(path: Path, units_per_m: float) -> Depth:
    """A depth image in metres, 0 where it is not known."""
    try:
        header = np.fromfile(path, np.uint8, 24).tobytes()
        if header[:8] == b"\x89PNG\r\n\x1a\n":
            check_size(path.name, int.from_bytes(header[16:20]), int.from_bytes(header[20:24]))
        values = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    except (OSError, cv2.error) as error:
        raise BadMedia(f"{path.name}: unreadable depth image ({error})") from None
    if values is None or values.ndim != 2 or values.dtype != np.uint16:
        found = "unreadable" if values is None else f"{values.dtype} {list(values.shape)}"
        raise BadMedia(f"{path.name}: depth is 16-bit grey, this is {found}")
    check_size(path.name, values.shape[1], values.shape[0])
    depth = values.astype(np.float32) / np.float32(units_per_m)
    depth[values == _UNKNOWN] = 0
    return depth


def read_colour(path: Path) -> RGB:
    """A colour image as stored: poses belong to that, not to how it is shown."""
    return read_image(path, upright=False)


def register_depth(depth: Depth, depth_intrinsics: Array, colour_intrinsics: Array) -> Depth:
    """Depth as the colour camera would see it, both being in one place: a point goes where it is seen, nearest first.

    Args:
        depth: [H, W].
        depth_intrinsics: [3, 3], in its pixels.
        colour_intrinsics: [3, 3], of the colour camera, in pixels of an image [H, W].
    """
    rows, columns = np.nonzero(depth)
    z = depth[rows, columns]
    here = np.eye(4)[:3]
    xyz = back_project(np.stack([columns, rows], -1).astype(float), z.astype(float), depth_intrinsics, here)
    xy, _ = project(xyz, colour_intrinsics, here)
    at = np.floor(xy + 0.5).astype(np.int64)
    inside = (at >= 0).all(1) & (at[:, 0] < depth.shape[1]) & (at[:, 1] < depth.shape[0])
    nearest = np.full(depth.shape, np.inf, np.float32)
    np.minimum.at(nearest, (at[inside, 1], at[inside, 0]), z[inside])
    return np.where(np.isfinite(nearest), nearest, np.float32(0))


def scaled_to(intrinsics: Array, size: tuple[int, int], wanted: tuple[int, int]) -> Array:
    """Intrinsics of an image of `size` for one of `wanted` width and height."""
    return rescaled(intrinsics, wanted[0] / size[0], wanted[1] / size[1])
