"""One-to-one assignment by affinity."""

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment


def assign(affinity: npt.NDArray[np.float64], at_least: float) -> list[tuple[int, int]]:
    """One-to-one pairs (row, column) with the largest total affinity [N, M] (Kuhn, 1955).

    Pairs under `at_least` do not count, so that a poor pair never takes the place of a good one.
    """
    allowed = np.where(affinity >= at_least, affinity, 0.0)
    rows, columns = linear_sum_assignment(allowed, maximize=True)
    return [(int(r), int(c)) for r, c in zip(rows, columns, strict=True) if allowed[r, c] > 0]
