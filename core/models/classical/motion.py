"""Dense motion between two frames, with the camera's part separated from the objects' own."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from core.masks import Mask
from core.models.classical.colour import Floats
from core.video.flow import dense_flow

Grey = npt.NDArray[np.uint8]
_MIN_MATCHES = 12


@dataclass(frozen=True, eq=False)
class Motion:
    """Where each pixel of the present frame was in the last one.

    Attributes:
        x, y: pixel coordinates [H, W] in the last frame, float32, ready for `cv2.remap`.
        own: motion [H, W, 2] in pixels that the camera's motion does not explain.
    """

    x: Floats
    y: Floats
    own: Floats

    def warp(self, values: Floats) -> Floats:
        """Values [H, W] of the last frame, carried to the present one."""
        return np.asarray(cv2.remap(values, self.x, self.y, cv2.INTER_LINEAR), np.float32)


class MotionEstimator:
    """DIS optical flow (Kroeger et al., ECCV 2016), taken twice: once as it is, once with the camera's motion
    removed first. Each pixel keeps what explains it better; fast pans and objects that the camera follows
    are both served."""

    def __init__(self) -> None:
        self._flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        self._flow.setVariationalRefinementIterations(0)  # they take time, and masks are no better for it

    def between(self, last: Grey, present: Grey, objects: Mask) -> Motion:
        """Motion from `present` back to `last` [H, W]; `objects` are left out when the camera is estimated."""
        height, width = present.shape
        x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
        camera = camera_motion(last, present, objects)
        ones = np.stack([x, y, np.ones_like(x)], -1) @ camera.T.astype(np.float32)
        by_camera = np.asarray(ones[..., :2] / ones[..., 2:] - np.stack([x, y], -1), np.float32)

        def remap(values: Grey | Floats, flow: Floats) -> npt.NDArray[Any]:
            warped = cv2.remap(
                values, x + flow[..., 0], y + flow[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
            )
            return np.asarray(warped)

        def misfit(flow: Floats) -> Floats:
            difference = cv2.absdiff(np.asarray(remap(last, flow), np.uint8), present)
            return np.asarray(cv2.boxFilter(difference.astype(np.float32), -1, (7, 7)))

        direct = dense_flow(self._flow, present, last)
        steadied = np.asarray(remap(last, by_camera), np.uint8)
        rest = dense_flow(self._flow, present, steadied)
        composed = rest + np.asarray(remap(by_camera, rest), np.float32)
        flow = np.where((misfit(composed) < misfit(direct))[..., None], composed, direct)
        return Motion(x + flow[..., 0], y + flow[..., 1], flow - by_camera)


def camera_motion(last: Grey, present: Grey, objects: Mask) -> npt.NDArray[np.float64]:
    """Homography [3, 3] from `present` to `last`, from corners off the objects; identity where there are too few."""
    background = cv2.dilate(objects.view(np.uint8), np.ones((9, 9), np.uint8)) == 0
    corners = cv2.goodFeaturesToTrack(last, 400, 0.01, 7, mask=background.astype(np.uint8))
    if corners is None or len(corners) < _MIN_MATCHES:
        return np.eye(3)
    moved, found, _ = cv2.calcOpticalFlowPyrLK(last, present, corners, corners.copy(), winSize=(21, 21), maxLevel=4)
    kept = found.ravel() == 1
    if np.count_nonzero(kept) < _MIN_MATCHES:
        return np.eye(3)
    cv2.setRNGSeed(0)
    homography, inliers = cv2.findHomography(moved[kept], corners[kept], cv2.RANSAC, 2.0)
    if homography is None or np.count_nonzero(inliers) < 0.3 * np.count_nonzero(kept):
        return np.eye(3)
    return np.asarray(homography, np.float64)
