"""Whether a clip's poses are camera from world in OpenCV axes, and its intrinsics in pixels of the depth maps."""

import numpy as np

from core.errors import BadMedia
from core.geometry.pinhole import back_project, inverse_pose, project
from core.geometry.sim3 import Array
from core.points.clip import Clip

_SAMPLES, _CLOSE, _ENOUGH, _PAIRS = 2000, 0.05, 200, 8
_AGREE, _BETTER, _POOR = 0.5, 0.25, 0.3
_OFF_CENTRE, _ALIKE = 0.2, 0.15
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
    _check_intrinsics(clip, name)
    shares = [share for pair in _pairs(clip) if (share := _agreement(clip, *pair)) is not None]
    if not shares:
        return []
    as_is, *others = np.mean(shares, axis=0)
    best = int(np.argmax(others))
    if others[best] > _AGREE and others[best] - as_is > _BETTER:
        convention, remedy = list(_OTHERS.items())[best]
        raise BadMedia(
            f"{name}: extrs look like {convention}: {as_is:.0%} of the depths agree between views as they are, "
            f"{others[best]:.0%} if read so; expected is camera from world, OpenCV axes: {remedy}"
        )
    if as_is < _POOR:
        why = "poses, intrinsics or the unit of depth may be wrong, or little is seen twice"
        return [f"depths: only {as_is:.0%} agree between views: {why}"]
    return []


def _check_intrinsics(clip: Clip, name: str) -> None:
    """Refuse a principal point that is the middle of a picture of another size."""
    width, height = clip.info.depth_size
    for camera, camera_id in enumerate(clip.info.camera_ids):
        k = clip.intrinsics[camera, 0]
        across, down = (k[0, 2] + 0.5) / (width / 2), (k[1, 2] + 0.5) / (height / 2)
        off = min(abs(across - 1), abs(down - 1)) > 2 * _OFF_CENTRE
        if off and abs(across / down - 1) < _ALIKE:
            size = f"{round(across * width)}x{round(down * height)}"
            raise BadMedia(
                f"{name}: intrs of {camera_id} have their principal point at {k[0, 2]:.0f}, {k[1, 2]:.0f}, the middle "
                f"of {size} pixels; the depth maps have {width}x{height}: scale the first two rows by {1 / across:.2g}"
            )


def _pairs(clip: Clip) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Pairs of views (camera, frame) to compare: neighbouring cameras, and early and late in each."""
    frames, cameras = clip.info.frames, len(clip.info.camera_ids)
    pairs = [((c, 0), (c + 1, 0)) for c in range(cameras - 1)]
    steps = sorted({min(frames - 1, step) for step in (5, 15, frames // 2)} - {0})
    pairs += [((c, 0), (c, step)) for c in range(cameras) for step in steps]
    return pairs[:: max(1, len(pairs) // _PAIRS)]


def _agreement(clip: Clip, one: tuple[int, int], other: tuple[int, int]) -> list[float] | None:
    """Share of depths that agree: as poses are, then as each of `_OTHERS`; None where too few can be compared."""
    poses = clip.cam_from_world
    if np.allclose(poses[one], poses[other], atol=1e-3):
        return None  # nothing to tell by
    depth = clip.depth(*one)
    rows, columns = np.nonzero(depth)
    if len(rows) < _ENOUGH:
        return None
    chosen = np.linspace(0, len(rows) - 1, min(_SAMPLES, len(rows))).astype(int)
    xy = np.stack([columns[chosen], rows[chosen]], -1).astype(float)
    z = depth[rows[chosen], columns[chosen]].astype(float)
    shares = []
    for first, second in zip(_readings(poses[one]), _readings(poses[other]), strict=True):
        xyz = back_project(xy, z, clip.intrinsics[one], first)
        seen, expected = project(xyz, clip.intrinsics[other], second)
        shares.append(_close(clip.depth(*other), seen, expected))
    return shares


def _readings(pose: Array) -> list[Array]:
    """A pose as it is, and as what it would be if it were meant as each of `_OTHERS`."""
    flip = np.array([[1.0], [-1.0], [-1.0]])
    return [pose, inverse_pose(pose), flip * pose, flip * inverse_pose(pose)]


def _close(depth: np.typing.NDArray[np.float32], xy: Array, expected: Array) -> float:
    height, width = depth.shape
    at = np.rint(np.nan_to_num(xy, nan=-9.0, posinf=-9.0, neginf=-9.0).clip(-9, 1e6)).astype(int)
    inside = (expected > 0) & (at >= 0).all(-1) & (at[:, 0] < width) & (at[:, 1] < height)
    found = depth[at[inside, 1], at[inside, 0]]
    return float((np.abs(found - expected[inside]) < _CLOSE * expected[inside]).sum() / len(xy))
