import numpy as np
import pytest

from core.masks.boundaries import boundary, boundary_f


def _halves(column: int) -> np.ndarray:
    id_map = np.full((40, 60), 3)
    id_map[:, column:] = 70_000
    return id_map


def test_the_boundary_of_an_id_map_is_where_ids_change() -> None:
    edge = boundary(_halves(20))
    assert np.unique(np.nonzero(edge)[1]).tolist() == [19]
    assert not boundary(np.zeros((5, 5), np.int64)).any()


@pytest.mark.parametrize(("off", "expected"), [(0, 1.0), (3, 1.0), (4, 0.0)])
def test_boundaries_agree_within_the_tolerance(off: int, expected: float) -> None:
    assert boundary_f(_halves(20 + off), _halves(20), 3) == expected


def test_maps_without_boundaries_agree_with_each_other_only() -> None:
    flat = np.ones((40, 60), np.int64)
    assert boundary_f(flat, flat, 1) == 1.0
    assert boundary_f(flat, _halves(20), 1) == 0.0
