"""The one place that imports pycolmap.

OpenCV comes first: with pycolmap loaded before it, `cv2.imwrite` of a PNG aborts the process.
"""

import cv2  # noqa: F401
import pycolmap

pycolmap.logging.minloglevel = pycolmap.logging.FATAL.value

__all__ = ["pycolmap"]
