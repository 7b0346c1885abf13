"""Whether a clip's poses point the right way: world to camera, not back."""

import numpy as np

from core.errors import BadMedia
from core.geometry.pinhole import back_project, inverse_pose, project
from core.geometry.sim3 import Array
from core.points.clip import Clip

_SAMPLES, _CLOSE, _ENOUGH, _PAIRS = 2000, 0.05, 200, 8


def check_direction(clip: Clip, name: str) -> None:
    """Refuse a clip whose depth maps agree with each other under inverted poses only.

    Points seen in one view are projected into another; where its depth is within 5 % of theirs, the views agree.

    Raises:
        BadMedia: every pair of views agrees better if poses are read as world-from-camera, and most depths do.
    """
    shares = [share for pair in _pairs(clip) if (share := _agreement(clip, *pair)) is not None]
    if not shares or any(inverted <= as_is for as_is, inverted in shares):
        return
    as_is, inverted = np.mean(shares, axis=0)
    if inverted > 0.5 and inverted - as_is > 0.25:
        raise BadMedia(
            f"{name}: extrs look inverted: {as_is:.0%} of the depths agree between views, {inverted:.0%} with inverse "
            "matrices; expected is camera-from-world"
        )


def _pairs(clip: Clip) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Pairs of views (camera, frame) to compare: neighbouring cameras, and early and late in each."""
    frames, cameras = clip.info.frames, len(clip.info.camera_ids)
    pairs = [((c, 0), (c + 1, 0)) for c in range(cameras - 1)]
    steps = sorted({min(frames - 1, step) for step in (5, 15, frames // 2)} - {0})
    pairs += [((c, 0), (c, step)) for c in range(cameras) for step in steps]
    return pairs[:: max(1, len(pairs) // _PAIRS)]


def _agreement(clip: Clip, one: tuple[int, int], other: tuple[int, int]) -> tuple[float, float] | None:
    """Share of depths that agree, as poses are and with inverse ones; None where too few can be compared."""
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
    for first, second in ((poses[one], poses[other]), (inverse_pose(poses[one]), inverse_pose(poses[other]))):
        xyz = back_project(xy, z, clip.intrinsics[one], first)
        seen, expected = project(xyz, clip.intrinsics[other], second)
        shares.append(_close(clip.depth(*other), seen, expected))
    return shares[0], shares[1]


def _close(depth: np.typing.NDArray[np.float32], xy: Array, expected: Array) -> float:
    height, width = depth.shape
    at = np.rint(np.nan_to_num(xy, nan=-9.0, posinf=-9.0, neginf=-9.0).clip(-9, 1e6)).astype(int)
    inside = (expected > 0) & (at >= 0).all(-1) & (at[:, 0] < width) & (at[:, 1] < height)
    found = depth[at[inside, 1], at[inside, 0]]
    return float((np.abs(found - expected[inside]) < _CLOSE * expected[inside]).sum() / len(xy))
