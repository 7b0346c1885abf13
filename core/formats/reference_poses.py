"""Reference camera poses: a COLMAP model, a text file, or a folder of matrices. Metres, if that is what they are in."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from core.errors import BadMedia
from core.geometry.sim3 import Array
from core.text import one_line

_MAX_BYTES = 64_000_000


@dataclass(frozen=True, eq=False)
class ReferencePose:
    """A world-from-camera pose, OpenCV axes: position [3], rotation [3, 3] or None where it is not known."""

    position: Array
    rotation: Array | None


class ReferencePoses:
    """Poses by image name; where the whole name has no entry, by what stands before its first dot, if only one has."""

    def __init__(self, poses: dict[str, ReferencePose]) -> None:
        times = Counter(_stem(name) for name in poses)
        self._poses = {_stem(name): pose for name, pose in poses.items() if times[_stem(name)] == 1} | poses

    def find(self, name: str) -> ReferencePose | None:
        """The pose of an image."""
        return self._poses.get(name) or self._poses.get(_stem(name))


def _stem(name: str) -> str:
    return Path(name).name.partition(".")[0]


def read_reference_poses(path: Path) -> ReferencePoses:
    """Read poses.

    A folder with `images.bin` or `images.txt` is a COLMAP model. Another folder has a text file for each image, with
    a 4x4 world-from-camera matrix, called as the image up to the first dot. A text file has a line for each image:
    `name x y z`, or `name x y z qx qy qz qw` (TUM's order, world from camera); lines that begin with `#` are skipped.

    Raises:
        BadMedia: it cannot be read, or holds no pose; the message tells where.
    """
    if not path.is_dir():
        poses = _text(path)
    elif (path / "images.bin").is_file() or (path / "images.txt").is_file():
        poses = _model(path)
    else:
        files = [file for file in sorted(path.glob("*.txt")) if not file.name.startswith(".")]
        poses = {file.name: pose for file in files if (pose := _matrix(file)) is not None}
    if not poses:
        raise BadMedia(f"{path}: no poses; a COLMAP model, a file of `name x y z qx qy qz qw`, or a folder of matrices")
    return ReferencePoses(poses)


def _model(path: Path) -> dict[str, ReferencePose]:
    from core.geometry.colmap import pycolmap

    try:
        model = pycolmap.Reconstruction(path)
    except (ValueError, RuntimeError, OSError, MemoryError) as error:
        raise BadMedia(f"{path}: not a COLMAP model ({error})") from None
    found = {}
    for image_id in model.reg_image_ids():
        image = model.image(image_id)
        rotation = np.asarray(image.cam_from_world().rotation.matrix(), float).T
        found[image.name] = ReferencePose(np.asarray(image.projection_center(), float), rotation)
    return found


def _text(path: Path) -> dict[str, ReferencePose]:
    found = {}
    for number, line in enumerate(_read(path).splitlines(), 1):
        name, *values = line.split() or ["#"]
        if name.startswith("#"):
            continue
        if len(values) not in (3, 7):
            raise BadMedia(f"{path}, line {number}: {len(values)} numbers after the name, not 3 or 7")
        found[name] = _numbers(path, number, values, _posed)
    return found


def _posed(values: Array) -> ReferencePose:
    if len(values) == 3:
        return ReferencePose(values, None)
    x, y, z, w = values[3:] / np.linalg.norm(values[3:])
    rotation = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )
    return ReferencePose(values[:3], rotation)


def _matrix(path: Path) -> ReferencePose | None:
    """None where the file is something else."""
    values = _read(path).split()
    if len(values) != 16:
        return None
    return _numbers(path, 1, values, lambda v: ReferencePose(v.reshape(4, 4)[:3, 3], _rotation(v.reshape(4, 4))))


def _rotation(matrix: Array) -> Array:
    rotation = matrix[:3, :3]
    if not np.allclose(rotation @ rotation.T, np.eye(3), atol=1e-2):
        raise ValueError("not a rotation")
    return rotation


def _numbers(path: Path, line: int, values: list[str], make: Callable[[Array], ReferencePose]) -> ReferencePose:
    try:
        numbers = np.array([float(value) for value in values])
        with np.errstate(invalid="raise", divide="raise"):
            pose = make(numbers)
        if not np.isfinite(numbers).all():
            raise ValueError("not finite")
    except (ValueError, FloatingPointError) as error:
        raise BadMedia(f"{path}, line {line}: not a pose ({one_line(str(error), 200)})") from None
    return pose


def _read(path: Path) -> str:
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise BadMedia(f"{path}: {path.stat().st_size:,} bytes, more than the {_MAX_BYTES:,} accepted")
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadMedia(f"{path}: cannot be read ({error})") from None
