"""Reference camera poses: a COLMAP model, a text file, or a folder of matrices. Metres, if that is what they are in."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from core.errors import BadMedia
from core.geometry.sim3 import Array
from core.text import one_line
from core.video.image_file import SUFFIXES
from core.video.video_paths import Parts, common_tail, path_parts

_MAX_BYTES = 64_000_000
_ENDINGS = frozenset({*SUFFIXES, ".txt"})
_KINDS = frozenset({".pose", ".color", ".colour", ".rgb", ".image", ".depth"})


@dataclass(frozen=True, eq=False)
class ReferencePose:
    """A world-from-camera pose, OpenCV axes: position [3], rotation [3, 3] or None where it is not known."""

    position: Array
    rotation: Array | None


class ReferencePoses:
    """Poses by image name: the whole one, else without folders, ending, and the words for what a file holds.

    `frame-1.pose.txt` is of `frame-1.color.jpg`; `cam.left.jpg` is not of `cam.right.jpg`. Where two entries could be
    meant, none is.

    Attributes:
        notes: entries that were left out, and why.
    """

    def __init__(self, poses: dict[str, ReferencePose], notes: Sequence[str] = ()) -> None:
        self.notes = list(notes)
        self._poses = poses
        self._by_key: dict[str, list[str]] = {}
        for name in poses:
            self._by_key.setdefault(_key(name), []).append(name)

    def find(self, name: str) -> ReferencePose | None:
        """The pose of an image."""
        if name in self._poses:
            return self._poses[name]
        folders = path_parts(name)[:-1]
        fitting = [other for other in self._by_key.get(_key(name), ()) if _tail(folders, path_parts(other)[:-1])]
        return self._poses[fitting[0]] if len(fitting) == 1 else None


def _tail(one: Parts, other: Parts) -> bool:
    """Whether the folders of two names can be the same: those of one are the last of the other."""
    return common_tail(one, other) == min(len(one), len(other))


def _key(name: str) -> str:
    """A name without folders, the ending of an image or text file, and a last word for what is in the file."""
    name = re.split(r"[/\\]", name)[-1]
    for endings in (_ENDINGS, _KINDS):
        stem, dot, last = name.rpartition(".")
        if dot and f".{last.lower()}" in endings:
            name = stem
    return name


def read_reference_poses(path: Path) -> ReferencePoses:
    """Read poses; those that are lost (not finite) or no rotations are left out, and noted.

    A folder with `images.bin` or `images.txt` is a COLMAP model. Another folder has a text file for each image, with
    a 4x4 world-from-camera matrix. A text file has a line for each image: `name x y z`, or `name x y z qx qy qz qw`
    (TUM's order, world from camera); names may have blanks; lines that begin with `#` are skipped.

    Raises:
        BadMedia: it cannot be read, or holds no pose; the message says where.
    """
    notes: list[str] = []
    if not path.is_dir():
        poses = _text(path, notes)
    elif (path / "images.bin").is_file() or (path / "images.txt").is_file():
        poses = _model(path)
    else:
        files = [file for file in sorted(path.glob("*.txt")) if not file.name.startswith(".")]
        poses = {file.name: pose for file in files if (pose := _matrix(file, notes)) is not None}
    if not poses:
        wanted = "no poses; a COLMAP model, a file of `name x y z qx qy qz qw`, or a folder of matrices"
        raise BadMedia(notes[0] if notes else f"{path}: {wanted}")
    return ReferencePoses(poses, notes)


def lost_poses(name: str, poses: ReferencePoses) -> list[str]:
    """What to report of entries that were left out of the file or folder called `name`; empty without any."""
    if not poses.notes:
        return []
    return [f"{name}: {len(poses.notes)} entries have no pose and are left out; the first: {poses.notes[0]}"]


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


def _text(path: Path, notes: list[str]) -> dict[str, ReferencePose]:
    found = {}
    for number, line in enumerate(_read(path).splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        words = line.split()
        count = _numbers_behind(words)
        where = f"{path}, line {number}"
        if count not in (3, 7):
            notes.append(f"{where}: not a pose: `name x y z` or `name x y z qx qy qz qw` is wanted: left out")
            continue
        name = line.strip().rsplit(maxsplit=count)[0]
        if name in found:
            notes.append(f"{where}: {one_line(name, 80)} has a pose already: left out")
        elif (pose := _numbers(where, words[-count:], _posed, notes)) is not None:
            found[name] = pose
    return found


def _numbers_behind(words: Sequence[str]) -> int:
    """How many numbers stand behind a name; where all words are numbers, the first is the name, a time."""
    count = 0
    for word in reversed(words):
        try:
            float(word)
        except ValueError:
            return count
        count += 1
    return count - 1


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


def _matrix(path: Path, notes: list[str]) -> ReferencePose | None:
    """None where the file is something else, or no pose."""
    values = _read(path).split()
    if len(values) != 16:
        return None
    return _numbers(
        str(path), values, lambda v: ReferencePose(v.reshape(4, 4)[:3, 3], _rotation(v.reshape(4, 4))), notes
    )


def _rotation(matrix: Array) -> Array:
    if not np.allclose(matrix[3], (0, 0, 0, 1), atol=1e-6):
        raise ValueError("its last row is not 0 0 0 1: is it written column by column?")
    rotation = matrix[:3, :3]
    if not np.allclose(rotation @ rotation.T, np.eye(3), atol=1e-2):
        raise ValueError("its 3x3 part is no rotation")
    if np.linalg.det(rotation) < 0:
        raise ValueError("its 3x3 part is mirrored (determinant -1), no rotation")
    return rotation


def _numbers(
    where: str, values: Sequence[str], make: Callable[[Array], ReferencePose], notes: list[str]
) -> ReferencePose | None:
    """The pose of some numbers; None where they are none, with a note."""
    try:
        numbers = np.array([float(value) for value in values])
        if not np.isfinite(numbers).all():
            raise ValueError("not finite: the pose is lost")
        with np.errstate(invalid="raise", divide="raise"):
            return make(numbers)
    except (ValueError, FloatingPointError) as error:
        notes.append(f"{where}: not a pose ({one_line(str(error), 200)}): left out")
    return None


def _read(path: Path) -> str:
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise BadMedia(f"{path}: {path.stat().st_size:,} bytes, more than the {_MAX_BYTES:,} accepted")
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise BadMedia(f"{path}: cannot be read ({error})") from None
