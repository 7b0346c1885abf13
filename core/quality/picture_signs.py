"""Signs of trouble in pictures under masks: along the outline, in the colours over time, in motion (after Erdem,
Sankur and Tekalp, IEEE TIP 2004)."""

import cv2
import numpy as np
import numpy.typing as npt

from core.masks import Mask
from core.masks.overlap import mask_iou
from core.video.flow import dense_flow
from core.video.frames import RGB

Flow = npt.NDArray[np.float32]
FlowPair = tuple[Flow, Flow]
_OUTLINE, _NEAR = np.ones((3, 3), np.uint8), np.ones((15, 15), np.uint8)
_STRONG, _WEAK = 240.0, 100.0  # Sobel's answer along good outlines, and along bad ones
_CLEAR, _LOST = 1.9, 1.2  # the same, by the answer of all pixels near the mask


def flow_between(before: RGB, now: RGB) -> FlowPair:
    """Dense optical flow (DIS, Kroeger et al. 2016) from one picture to the next, and back; [H, W, 2] in pixels."""
    first, second = (np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8) for image in (before, now))
    finder = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
    return dense_flow(finder, first, second), dense_flow(finder, second, first)


def disagreement(before: Mask, now: Mask, flow: FlowPair) -> float:
    """How little the two masks [H, W] agree where motion carries one onto the other: 1 less the better IoU."""
    there, back = flow
    forward, backward = mask_iou(_carried(before, back), now), mask_iou(_carried(now, there), before)
    return 1 - max(forward, backward)


def _carried(mask: Mask, flow: Flow) -> Mask:
    """The mask seen through a flow that says where each pixel came from."""
    y, x = np.mgrid[: mask.shape[0], : mask.shape[1]].astype(np.float32)
    moved = cv2.remap(mask.view(np.uint8), x + flow[..., 0], y + flow[..., 1], cv2.INTER_NEAREST)
    return np.asarray(moved.view(np.bool_), np.bool_)


def off_edges(image: RGB, mask: Mask) -> float:
    """How little the outline of a mask [H, W] lies on edges of the picture, 0..1.

    From the mean strength of edges along it: by itself, and by that of all pixels near the mask.
    """
    pixels = mask.view(np.uint8)
    outline = (cv2.dilate(pixels, _OUTLINE) - cv2.erode(pixels, _OUTLINE, borderValue=0)).view(np.bool_)
    if not outline.any():
        return 0.0
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    strength = cv2.magnitude(cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1))
    along = float(strength[outline].mean())
    near = float(strength[cv2.dilate(pixels, _NEAR).view(np.bool_)].mean())
    weak = (_STRONG - along) / (_STRONG - _WEAK)
    unlike = (_CLEAR - along / (near + 1e-3)) / (_CLEAR - _LOST)
    return (min(1.0, max(0.0, weak)) + min(1.0, max(0.0, unlike))) / 2
