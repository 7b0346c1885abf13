"""One camera's part of the Lucas-Kanade tracker: where it sees points from frame to frame."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from core.geometry.pinhole import back_project, project
from core.geometry.sim3 import Array
from core.models.points import patches
from core.rgbd.clip import ClipView, Depth
from core.rgbd.lifting import depth_near
from core.video.flow import dense_flow

Flags = npt.NDArray[np.bool_]
Image = npt.NDArray[np.uint8]
Flow = npt.NDArray[np.float32]
_WINDOW, _LEVELS = (21, 21), 3
_FORWARD_BACKWARD_PX, _DENSE_FORWARD_BACKWARD_PX = 1.0, 2.0
_BLUR_PX = 1.0
_SURFACE_M, _SURFACE_SHARE, _LEAST_SAMPLES = 0.01, 0.03, 8
_STRETCH = 4.0
_CLEARLY, _CLEARLY_GREY = 0.8, 0.5
_MISMATCH_GREY, _MISMATCH_SHARE = 5.0, 0.5
_JUMP_M, _JUMP_SHARE = 0.03, 0.05


@dataclass(eq=False)
class CameraObservation:
    """What a camera says of N points in a frame.

    Attributes:
        visible: it sees them.
        xyz: [N, 3], where, in the world; meaningful where visible.
        weight: how much that counts, 1 / depth^2.
    """

    visible: Flags
    xyz: Array
    weight: Array


class CameraTracker:
    """Follows points in one camera.

    A point has a patch, taken when it was first seen. It is found again in each frame from two guesses: where the
    point would be had it not moved in the world, and where pyramidal Lucas-Kanade, checked forward and backward, takes
    it from the frame before. The patch is looked at in the perspective the camera has now. Where neither finds it,
    dense flow carries it on, if it carries it back again to where it was.

    Args:
        view: the clip.
        camera: which camera of it.
        count: number of points.
    """

    def __init__(self, view: ClipView, camera: int, count: int) -> None:
        self._view = view
        self._camera = camera
        self._patches = np.zeros((count, len(patches.OFFSETS)))
        self._weights = np.ones((count, len(patches.OFFSETS)))
        self._right = np.zeros((count, 3))
        self._down = np.zeros((count, 3))
        self._known = np.zeros(count, bool)
        self._seen = np.zeros(count, bool)
        self._xy = np.zeros((count, 2))
        self._image: Image | None = None
        self._before: Image | None = None
        self._dense: tuple[Flow, Flow] | None = None

    def advance(self, frame: int) -> None:
        """Go to the next frame."""
        rgb = self._view.rgb(self._camera, frame)
        grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
        self._smooth = patches.Image(
            np.asarray(cv2.GaussianBlur(grey.astype(np.float32), (0, 0), _BLUR_PX), np.float32)
        )
        self._depth: Depth = self._view.depth(self._camera, frame)
        self._intrinsics = self._view.intrinsics[self._camera, frame]
        self._pose = self._view.cam_from_world[self._camera, frame]
        self._before, self._image, self._dense = self._image, np.asarray(grey, np.uint8), None

    def start(self, chosen: npt.NDArray[np.int64], xyz: Array) -> Flags:
        """Take patches of these points [N, 3], new or seen for the first time; whether each is in plain sight."""
        xy, depth = project(xyz, self._intrinsics, self._pose)
        inside = self._inside(xy, depth)
        xy = np.where(inside[:, None], xy, 0.0)
        measured = depth_near(self._depth, xy, depth)
        ok = inside & (measured > 0) & (np.abs(measured - depth) < _tolerance(depth))
        self._renew(chosen[ok], xy[ok], depth[ok])
        self._seen[chosen] = ok
        self._xy[chosen] = xy
        return ok

    def follow(self, chosen: npt.NDArray[np.int64], xyz: Array) -> CameraObservation:
        """Find these points again, which were at `xyz` [N, 3] before."""
        expected, depth = project(xyz, self._intrinsics, self._pose)
        inside = self._inside(expected, depth)
        known = self._known[chosen]
        seen = np.zeros(len(chosen), bool)
        xy = np.where(inside[:, None], expected, 0.0)
        changed = np.zeros(len(chosen), bool)
        found = np.flatnonzero(inside & known)
        if len(found):
            xy[found], seen[found], changed[found] = self._find(
                chosen[found], xyz[found], expected[found], depth[found]
            )
        measured = depth_near(self._depth, xy, depth)
        seen &= self._inside(xy, depth) & ((measured == 0) | (np.abs(measured - depth) < _tolerance(depth)))
        lifted = np.where(measured > 0, measured, depth)
        self._seen[chosen] = seen
        self._xy[chosen] = xy
        changed &= seen
        self._renew(chosen[changed], xy[changed], lifted[changed])
        new = np.flatnonzero(inside & ~known)
        if len(new):  # another camera follows them, and here they come into sight
            self.start(chosen[new], xyz[new])
        safe = np.where(seen, lifted, 1.0)
        return CameraObservation(seen, back_project(xy, safe, self._intrinsics, self._pose), 1 / safe**2)

    def _find(
        self, chosen: npt.NDArray[np.int64], xyz: Array, expected: Array, depth: Array
    ) -> tuple[Array, Flags, Flags]:
        """Where the patches are, whether they were found, and whether they look another way there."""
        warps = self._warps(chosen, xyz, expected)
        weights = self._weights[chosen] * self._uncovered(expected, depth, warps)
        wanted = patches.Patches(self._patches[chosen], weights)
        flow, flowed = self._flow(chosen, expected)
        found = self._smooth.find(wanted, expected, warps)
        second = np.flatnonzero(flowed)
        if len(second):
            moved = self._smooth.find(wanted.part(second), flow[second], warps[second])
            moving = moved.residual < _CLEARLY * found.residual[second] - _CLEARLY_GREY
            found.xy[second[moving]] = moved.xy[moving]
            found.residual[second[moving]] = moved.residual[moving]
        limit = _MISMATCH_GREY + _MISMATCH_SHARE * wanted.contrast()
        fits = found.residual < limit
        xy = np.where(fits[:, None], found.xy, flow)
        # Seen from aside or deformed: it still flows, so what it looks like now is what to look for.
        changed = ~fits & flowed & (found.residual < 2 * limit)
        lost = np.flatnonzero(~fits & ~changed & self._seen[chosen])
        if len(lost):  # it deforms: its surroundings tell where it goes
            xy[lost], changed[lost] = self._carried(self._xy[chosen[lost]])
        return np.where((fits | changed)[:, None], xy, expected), fits | changed, changed

    def _flow(self, chosen: npt.NDArray[np.int64], expected: Array) -> tuple[Array, Flags]:
        """Pyramidal Lucas-Kanade from the frame before, where the points were seen there."""
        flow, ok = expected.copy(), np.zeros(len(chosen), bool)
        at = np.flatnonzero(self._seen[chosen])
        if len(at) == 0 or self._before is None or self._image is None:
            return flow, ok
        before = self._xy[chosen[at]].astype(np.float32)[:, None]
        there, there_ok = _lucas_kanade(self._before, self._image, before, expected[at].astype(np.float32)[:, None])
        back, back_ok = _lucas_kanade(self._image, self._before, there, before)
        away = np.linalg.norm((back - before)[:, 0], axis=1)
        ok[at] = there_ok & back_ok & (away < _FORWARD_BACKWARD_PX)
        flow[at] = there[:, 0]
        return flow, ok

    def _carried(self, before: Array) -> tuple[Array, Flags]:
        """Where dense flow takes positions [N, 2] of the frame before, and whether it takes them back again."""
        if self._before is None or self._image is None:
            return before, np.zeros(len(before), bool)
        if self._dense is None:
            finder = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
            self._dense = (
                dense_flow(finder, self._before, self._image),
                dense_flow(finder, self._image, self._before),
            )
        there = before + patches.sample(self._dense[0], before)
        back = there + patches.sample(self._dense[1], there)
        return there, np.asarray(np.linalg.norm(back - before, axis=1) < _DENSE_FORWARD_BACKWARD_PX)

    def _warps(self, chosen: npt.NDArray[np.int64], xyz: Array, expected: Array) -> Array:
        """How a pixel's step at the patch's making looks now: [N, 2, 2], the points' surfaces being planes."""
        right, _ = project(xyz + self._right[chosen], self._intrinsics, self._pose)
        down, _ = project(xyz + self._down[chosen], self._intrinsics, self._pose)
        warps = np.stack([right - expected, down - expected], -1)
        sane = np.asarray(np.isfinite(warps).all((1, 2)) & (np.abs(warps) < _STRETCH).all((1, 2)))
        return np.where(sane[:, None, None], warps, np.eye(2))

    def _renew(self, chosen: npt.NDArray[np.int64], xy: Array, depth: Array) -> None:
        """Take patches at these pixels, whose depths are known."""
        if len(chosen) == 0:
            return
        at = back_project(xy, depth, self._intrinsics, self._pose)
        slopes = []
        for step, into in (((1.0, 0.0), self._right), ((0.0, 1.0), self._down)):
            slopes.append(self._slope(xy, depth, np.array(step)))
            into[chosen] = back_project(xy + step, depth + slopes[-1], self._intrinsics, self._pose) - at
        self._weights[chosen] = self._same_surface(xy, depth, slopes)
        self._patches[chosen] = self._smooth.take(xy, self._weights[chosen])
        self._known[chosen] = True

    def _uncovered(self, expected: Array, depth: Array, warps: Array) -> Array:
        """[N, S]: 0 where something nearer than the point now covers a sample of its patch; else that would take the
        point along."""
        places = (expected[:, None] + patches.grid(warps)).reshape(-1, 2)
        width, height = self._view.size
        column = np.clip(np.rint(places[:, 0]).astype(np.int64), 0, width - 1)
        row = np.clip(np.rint(places[:, 1]).astype(np.int64), 0, height - 1)
        there = self._depth[row, column].reshape(len(expected), -1)
        covered = (there > 0) & (there < (depth - _tolerance(depth))[:, None])
        return np.where(covered, 0.0, 1.0)

    def _same_surface(self, xy: Array, depth: Array, slopes: list[Array]) -> Array:
        """[N, S]: 0 where a patch's sample is known to lie on another surface than its point; else it would move with
        that. A patch of which little is left counts as a whole."""
        offsets = patches.OFFSETS
        plane = depth[:, None] + slopes[0][:, None] * offsets[:, 0] + slopes[1][:, None] * offsets[:, 1]
        places = (xy[:, None] + offsets).reshape(-1, 2)
        measured = depth_near(self._depth, places, plane.ravel()).reshape(plane.shape)
        other = (measured > 0) & (np.abs(measured - plane) > _SURFACE_M + _SURFACE_SHARE * plane)
        weights = np.where(other, 0.0, 1.0)
        little = weights.sum(1) < _LEAST_SAMPLES
        return np.where(little[:, None], 1.0, weights)

    def _slope(self, xy: Array, depth: Array, step: Array) -> Array:
        """Change of depth from a pixel to the next along `step`, on the surface; 0 where that is not clear."""
        reach = 4.0
        ahead = depth_near(self._depth, xy + reach * step, depth)
        behind = depth_near(self._depth, xy - reach * step, depth)
        slope = (ahead - behind) / (2 * reach)
        bent = np.abs(ahead + behind - 2 * depth) > 0.02 * depth
        clear = (ahead > 0) & (behind > 0) & ~bent
        return np.where(clear, slope, 0.0)

    def _inside(self, xy: Array, depth: Array) -> Flags:
        width, height = self._view.size
        with np.errstate(invalid="ignore"):
            low = (xy >= -0.5).all(-1)
            return low & (xy[:, 0] <= width - 0.5) & (xy[:, 1] <= height - 0.5) & (depth > 0)


def _tolerance(depth: Array) -> Array:
    return _JUMP_M + _JUMP_SHARE * depth


def _lucas_kanade(
    one: Image,
    other: Image,
    points: npt.NDArray[np.float32],
    guess: npt.NDArray[np.float32],
) -> tuple[npt.NDArray[np.float32], Flags]:
    """J.-Y. Bouguet, "Pyramidal implementation of the Lucas Kanade feature tracker", 2000; OpenCV's."""
    found, ok, _ = cv2.calcOpticalFlowPyrLK(
        one, other, points, guess.copy(), winSize=_WINDOW, maxLevel=_LEVELS,
        criteria=(cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 20, 0.01), flags=cv2.OPTFLOW_USE_INITIAL_FLOW,
    )  # fmt: skip
    return np.asarray(found, np.float32), np.asarray(ok).ravel() > 0
