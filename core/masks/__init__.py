"""Masks: run-length coding, overlap, assignment, appearance, cleaning, drawing.

A mask is bool [H, W]; on disk it is COCO RLE.
"""

import numpy as np
import numpy.typing as npt

Mask = npt.NDArray[np.bool_]
"""Bool [H, W], True where the object is."""

Box = tuple[float, float, float, float]
"""x0, y0, x1, y1 in pixels; the upper edges are exclusive."""
