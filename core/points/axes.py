"""Whether a clip's poses are camera from world in OpenCV axes, and its intrinsics in pixels of the depth maps."""

from dataclasses import dataclass

import numpy as np

from core.errors import BadMedia
from core.geometry.pinhole import back_project, inverse_pose, project
from core.geometry.sim3 import Array
from core.rgbd.clip import Clip

_SAMPLES, _CLOSE, _ENOUGH, _PAIRS = 2000, 0.05, 200, 8
_LANDED = 300  # points that land on a known depth, enough to judge by
_AGREE, _POOR, _TIMES, _BY_SHARE = 0.5, 0.3, 2.0, 0.25
_OFF_CENTRE, _BETTER = 0.2, 1.02
_OTHERS = {
    "inverted (world from camera)": "give their inverse",
    "OpenGL's axes (y up, looking along -z)": "negate their second and third row",
    "world from camera in OpenGL's axes (y up, looking along -z)": "invert them, then negate the second and third row",
}


def check_geometry(clip: Clip, name: str) -> list[str]:
    """Refuse a clip whose depth maps agree with each other only if its poses are read in another way.

    Points seen in one view are projected into another; where its depth is within 5 % of theirs, the views agree.

    Args:
        clip: with depth maps in metres.
        name: for messages.

    Returns:
        What a person should know.

    Raises:
        BadMedia: poses are plainly in another convention, or intrinsics those of another resolution.
    """
    readings = _agreements(clip)
    as_is, others = readings[0], readings[1:]
    _check_intrinsics(clip, name, as_is)
    best = max(range(len(others)), key=lambda place: others[place].agree)
    likely = others[best].share >= _AGREE and others[best].landed >= _LANDED
    if likely and _is_better(others[best], as_is):
        convention, remedy = list(_OTHERS.items())[best]
        raise BadMedia(
            f"{name}: extrs look like {convention}: {as_is.share:.0%} of the depths agree between views as they are, "
            f"{others[best].share:.0%} if read so; expected is camera from world, OpenCV axes: {remedy}"
        )
    if as_is.landed >= _LANDED and as_is.share < _POOR:
        why = "poses, intrinsics or the unit of depth may be wrong, or little is seen twice"
        return [f"depths: only {as_is.share:.0%} agree between views: {why}"]
    return []


@dataclass(frozen=True)
class _Agreement:
    """Of points seen in one view: how many land on a known depth of another, and how many agree with it."""

    agree: int = 0
    landed: int = 0

    @property
    def share(self) -> float:
        return self.agree / self.landed if self.landed else 0.0

    def __add__(self, other: "_Agreement") -> "_Agreement":
        return _Agreement(self.agree + other.agree, self.landed + other.landed)


def _is_better(other: _Agreement, as_is: _Agreement) -> bool:
    """Plainly: by the share of what can be compared, or because hardly anything can be compared as it is."""
    by_share = other.share - as_is.share > _BY_SHARE and other.agree > as_is.agree
    return by_share or (other.agree > _TIMES * as_is.agree and other.share > as_is.share)


def _check_intrinsics(clip: Clip, name: str, as_is: _Agreement) -> None:
    """Refuse a principal point that is the middle of a picture of another size.

    A crop has its principal point off the middle, too: there the views agree better as they are.
    """
    width, height = clip.info.depth_size
    for camera, camera_id in enumerate(clip.info.camera_ids):
        k = clip.intrinsics[camera, 0]
        across, down = (k[0, 2] + 0.5) / (width / 2), (k[1, 2] + 0.5) / (height / 2)
        if min(abs(across - 1), abs(down - 1)) <= _OFF_CENTRE or (across > 1) != (down > 1):
            continue
        scaled = _agreements(clip, np.diag([1 / max(across, 1e-6), 1 / max(down, 1e-6), 1.0]))[0]
        if as_is.share >= _AGREE and as_is.agree > _BETTER * scaled.agree:
            continue
        size = f"{round(across * width)}x{round(down * height)}"
        raise BadMedia(
            f"{name}: intrs of {camera_id} have their principal point at {k[0, 2]:.4g}, {k[1, 2]:.4g}, the middle of "
            f"{size} pixels; the depth maps have {width}x{height}: scale their first row by {1 / across:.2g}, the "
            f"second by {1 / down:.2g}"
        )


def _pairs(clip: Clip) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Pairs of views (camera, frame) to compare: neighbouring cameras, and early and late in each."""
    frames, cameras = clip.info.frames, len(clip.info.camera_ids)
    pairs = [((c, 0), (c + 1, 0)) for c in range(cameras - 1)]
    steps = sorted({min(frames - 1, step) for step in (5, 15, frames // 2)} - {0})
    pairs += [((c, 0), (c, step)) for c in range(cameras) for step in steps]
    return pairs[:: max(1, len(pairs) // _PAIRS)]


def _agreements(clip: Clip, scale: Array | None = None) -> list[_Agreement]:
    """Over all pairs: as poses are, then as each of `_OTHERS`; intrinsics are multiplied by `scale` [3, 3]."""
    found = [_Agreement()] * (1 + len(_OTHERS))
    for pair in _pairs(clip):
        found = [
            one + other
            for one, other in zip(found, _agreement(clip, *pair, np.eye(3) if scale is None else scale), strict=True)
        ]
    return found


def _agreement(clip: Clip, one: tuple[int, int], other: tuple[int, int], scale: Array) -> list[_Agreement]:
    """How depths agree: as poses are, then as each of `_OTHERS`; nothing where too few can be compared."""
    poses = clip.cam_from_world
    depth = clip.depth(*one)
    rows, columns = np.nonzero(depth)
    if np.allclose(poses[one], poses[other], atol=1e-3) or len(rows) < _ENOUGH:
        return [_Agreement()] * (1 + len(_OTHERS))  # nothing to judge by
    chosen = np.linspace(0, len(rows) - 1, min(_SAMPLES, len(rows))).astype(int)
    xy = np.stack([columns[chosen], rows[chosen]], -1).astype(float)
    z = depth[rows[chosen], columns[chosen]].astype(float)
    found = []
    for first, second in zip(_readings(poses[one]), _readings(poses[other]), strict=True):
        xyz = back_project(xy, z, scale @ clip.intrinsics[one], first)
        seen, expected = project(xyz, scale @ clip.intrinsics[other], second)
        found.append(_close(clip.depth(*other), seen, expected))
    return found


def _readings(pose: Array) -> list[Array]:
    """A pose as it is, and as what it would be if it were meant as each of `_OTHERS`."""
    flip = np.array([[1.0], [-1.0], [-1.0]])
    return [pose, inverse_pose(pose), flip * pose, flip * inverse_pose(pose)]


def _close(depth: np.typing.NDArray[np.float32], xy: Array, expected: Array) -> _Agreement:
    height, width = depth.shape
    at = np.rint(np.nan_to_num(xy, nan=-9.0, posinf=-9.0, neginf=-9.0).clip(-9, 1e6)).astype(int)
    inside = (expected > 0) & (at >= 0).all(-1) & (at[:, 0] < width) & (at[:, 1] < height)
    found = depth[at[inside, 1], at[inside, 0]]
    near = np.abs(found - expected[inside]) < _CLOSE * expected[inside]
    return _Agreement(int(np.count_nonzero(near & (found > 0))), int(np.count_nonzero(found)))
