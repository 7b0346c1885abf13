import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from core.masks.assignment import assign


@given(
    arrays(np.float64, st.tuples(st.integers(0, 6), st.integers(0, 6)), elements=st.floats(0, 1)), st.floats(0.01, 1)
)
def test_pairs_are_one_to_one_and_good_enough(affinity: np.ndarray, least: float) -> None:
    pairs = assign(affinity, least)
    assert len({row for row, _ in pairs}) == len(pairs) == len({column for _, column in pairs})
    assert all(affinity[row, column] >= least for row, column in pairs)


def test_the_best_total_wins_over_the_best_single_pair() -> None:
    assert sorted(assign(np.array([[0.9, 0.8], [0.8, 0.0]]), 0.1)) == [(0, 1), (1, 0)]
