"""Dense optical flow by OpenCV's DIS (Kroeger et al., ECCV 2016), for pictures of any size."""

import cv2
import numpy as np
import numpy.typing as npt

_LEAST_SIDE = 32  # smaller pictures are refused by OpenCV: they are continued by their edges


def dense_flow(
    finder: cv2.DISOpticalFlow, present: npt.NDArray[np.uint8], last: npt.NDArray[np.uint8]
) -> npt.NDArray[np.float32]:
    """For each pixel of `present` [H, W] where it was in `last`, relative to itself: float32 [H, W, 2], x and y."""
    height, width = present.shape
    missing = ((0, max(0, _LEAST_SIDE - height)), (0, max(0, _LEAST_SIDE - width)))
    if missing != ((0, 0), (0, 0)):
        present, last = np.pad(present, missing, mode="edge"), np.pad(last, missing, mode="edge")
    flow = finder.calc(present, last, np.zeros((0, 0), np.float32))
    return np.asarray(flow[:height, :width], np.float32)
