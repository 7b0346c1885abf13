import math

import numpy as np
import pytest

from benchmarks.point_metrics import drift, within_pixels


def test_shares_within_each_threshold_and_their_mean() -> None:
    found = within_pixels(np.array([0.5, 1.0, 3.0, 7.9, 100.0]))
    assert found.shares == (0.2, 0.4, 0.6, 0.8, 0.8)
    assert found.average == pytest.approx(0.56)
    with pytest.raises(ValueError, match="no distances"):
        within_pixels(np.array([]))


def test_drift_is_distance_in_the_world() -> None:
    queries = np.zeros((3, 3))
    found = drift(np.array([[0, 0, 0], [0.03, 0.04, 0], [0, 0, 0.1]]), queries)
    assert found.count == 3
    assert found.median_m == pytest.approx(0.05)
    assert found.p90_m == pytest.approx(0.09)
    assert math.isnan(drift(queries[:0], queries[:0]).median_m)
