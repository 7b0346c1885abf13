"""What windows share: points that the same feature of a frame, or features that match, see in both."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations, product

import numpy as np
import numpy.typing as npt

from core.geometry.colmap import pycolmap
from core.geometry.placing import Edge
from core.geometry.robust import align_points
from core.geometry.sim3 import Array
from core.reconstruction.pairs import read_pairs
from core.reconstruction.settings import MatchFile

Numbers = npt.NDArray[np.int64]

_LEAST_SHARED = 20
_LEAST_SHARE = 0.3
_MOST_SHARED = 4000


@dataclass(frozen=True, eq=False)
class WindowModel:
    """A window's model as arrays.

    Attributes:
        number: of the window.
        xyz: [P, 3], points in the window's own frame and scale.
        colours: uint8 [P, 3].
        centres: camera centre of each registered frame, by the frame's number.
        points: for each registered frame, int64 [2, N]: numbers of the features that see a point, and which point.
    """

    number: int
    xyz: Array
    colours: npt.NDArray[np.uint8]
    centres: dict[int, Array]
    points: dict[int, Numbers]


def read_window(number: int, model: pycolmap.Reconstruction) -> WindowModel:
    """Take a COLMAP model apart; the number of a feature is the index of its 2D point."""
    ids = sorted(model.point3D_ids())
    place = {point_id: row for row, point_id in enumerate(ids)}
    centres, points = {}, {}
    for image_id in sorted(model.reg_image_ids()):
        image = model.image(image_id)
        seen = [(index, place[image.point2D(index).point3D_id]) for index in image.get_observation_point2D_idxs()]
        centres[image_id - 1] = np.asarray(image.projection_center(), float)
        points[image_id - 1] = np.array(seen, np.int64).reshape(-1, 2).T
    xyz = np.array([model.point3D(i).xyz for i in ids], float).reshape(-1, 3)
    colours = np.array([model.point3D(i).color for i in ids], np.uint8).reshape(-1, 3)
    return WindowModel(number, xyz, colours, centres, points)


@dataclass(frozen=True, eq=False)
class Shared:
    """Points that two windows share: rows of each one's `xyz`, the second's distance from a camera that sees it."""

    source: int
    target: int
    source_points: Numbers
    target_points: Numbers
    depth: Array
    frames: int


def find_shared(windows: Sequence[WindowModel], matches: Iterable[MatchFile]) -> list[Shared]:
    """All pairs of windows with points in common, through frames of both; where they have none, through matches."""
    found: dict[tuple[int, int], list[tuple[Numbers, Numbers, Array]]] = defaultdict(list)
    frames: dict[tuple[int, int], int] = {}
    of_frame: dict[int, list[int]] = defaultdict(list)
    for place, window in enumerate(windows):
        for frame in window.points:
            of_frame[frame].append(place)
    for frame, places in of_frame.items():
        for i, j in combinations(places, 2):
            one, other = windows[i].points[frame], windows[j].points[frame]
            _, left, right = np.intersect1d(one[0], other[0], assume_unique=True, return_indices=True)
            found[i, j].append(_seen(windows[j], frame, one[1, left], other[1, right]))
            frames[i, j] = frames.get((i, j), 0) + 1
    _through_matches(windows, of_frame, matches, found, set(frames))
    return [
        _shared(windows[i].number, windows[j].number, parts, frames.get((i, j), 0))
        for (i, j), parts in sorted(found.items())
    ]


def _through_matches(
    windows: Sequence[WindowModel],
    of_frame: dict[int, list[int]],
    matches: Iterable[MatchFile],
    found: dict[tuple[int, int], list[tuple[Numbers, Numbers, Array]]],
    known: set[tuple[int, int]],
) -> None:
    for file in matches:
        for (a, b), geometry in read_pairs(file, set(of_frame)):
            for i, j in product(of_frame[a], of_frame[b]):
                if i == j or (min(i, j), max(i, j)) in known:
                    continue
                one, other = (a, geometry.matches[:, 0]), (b, geometry.matches[:, 1])
                if i > j:
                    i, j, one, other = j, i, other, one
                left, right = _point_of(windows[i], *one), _point_of(windows[j], *other)
                both = (left >= 0) & (right >= 0)
                found[i, j].append(_seen(windows[j], other[0], left[both], right[both]))


def _point_of(window: WindowModel, frame: int, features: npt.NDArray[np.uint32]) -> Numbers:
    numbers, points = window.points[frame]
    if len(numbers) == 0:
        return np.full(len(features), -1, np.int64)
    at = np.minimum(np.searchsorted(numbers, features), len(numbers) - 1)
    return np.where(numbers[at] == features, points[at], -1)


def _seen(target: WindowModel, frame: int, left: Numbers, right: Numbers) -> tuple[Numbers, Numbers, Array]:
    return left, right, np.linalg.norm(target.xyz[right] - target.centres[frame], axis=1)


def _shared(source: int, target: int, parts: list[tuple[Numbers, Numbers, Array]], frames: int) -> Shared:
    left, right, depth = (np.concatenate(side) for side in zip(*parts, strict=True))
    _, first = np.unique(np.stack([left, right]), axis=1, return_index=True)  # seen from several frames: once
    first = first[np.unique(np.linspace(0, len(first) - 1, min(len(first), _MOST_SHARED)).astype(np.intp))]
    return Shared(source, target, left[first], right[first], np.maximum(depth[first], 1e-12), frames)


@dataclass(frozen=True, eq=False)
class Aligned:
    """Two windows laid over each other, or why they are not."""

    shared: Shared
    edge: Edge | None
    inliers: int
    reason: str | None


def align(one: WindowModel, other: WindowModel, shared: Shared) -> Aligned:
    """The robust similarity between two windows. Too few inliers, or too small a share, make no edge."""
    source, target = one.xyz[shared.source_points], other.xyz[shared.target_points]
    found = align_points(source, target, shared.depth) if len(source) >= _LEAST_SHARED else None
    if found is None:
        return Aligned(shared, None, 0, f"{len(source)} points in common, at least {_LEAST_SHARED} are needed")
    inliers = int(found.inliers.sum())
    if inliers < _LEAST_SHARED or inliers < _LEAST_SHARE * len(source):
        return Aligned(shared, None, inliers, f"only {inliers} of {len(source)} common points agree on one alignment")
    kept = found.inliers
    edge = Edge(
        shared.source, shared.target, found.sim3, source[kept], target[kept], shared.depth[kept], max(found.noise, 1e-9)
    )
    return Aligned(shared, edge, inliers, None)
