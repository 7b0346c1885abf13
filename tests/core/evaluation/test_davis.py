import numpy as np
import pytest

from core.evaluation.davis import JF, contour_accuracy, mean_jf, object_jf, region_similarity
from core.masks.boundaries import boundary


def _square(x: int, size: int = 20) -> np.ndarray:
    mask = np.zeros((100, 120), np.bool_)
    mask[40 : 40 + size, x : x + size] = True
    return mask


def test_a_perfect_mask_scores_one_and_a_wrong_one_zero() -> None:
    truth = _square(30)
    assert object_jf([truth], [truth]) == JF(1.0, 1.0)
    assert object_jf([_square(80)], [truth]) == JF(0.0, 0.0)
    assert object_jf([np.zeros_like(truth)], [np.zeros_like(truth)]) == JF(1.0, 1.0)


def test_j_is_the_iou() -> None:
    assert region_similarity(_square(30), _square(40)) == pytest.approx(200 / 600)


def test_f_forgives_shifts_within_the_tolerance_only() -> None:
    # Diagonal 156 px: the tolerance is ceil(1.25) = 2 px.
    assert contour_accuracy(_square(30), _square(32)) == 1.0
    assert 0.3 < contour_accuracy(_square(30), _square(34)) < 0.75
    assert contour_accuracy(_square(30), np.zeros((100, 120), np.bool_)) == 0.0


def test_boundary_of_a_square() -> None:
    assert np.count_nonzero(boundary(_square(30))) == 4 * 20


def test_nothing_to_average_is_an_error() -> None:
    with pytest.raises(ValueError, match="no scores"):
        mean_jf([])
