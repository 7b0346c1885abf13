"""The focal length: searched for on a grid, and set free where views under large angles say that it was wrong."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from photographs import FOCAL, write_photographs
from scipy.spatial.transform import Rotation
from solving import Solving

from core.reconstruction.camera_item import best_focal


def _fundamental(focal: float, width: int, height: int, rng: np.random.Generator) -> np.ndarray:
    """Of two cameras in general position."""
    turn = Rotation.from_rotvec(rng.normal(0, 0.3, 3)).as_matrix()
    x, y, z = rng.normal(0, 1, 3)
    essential = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]]) @ turn
    inverse = np.linalg.inv(np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1]]))
    return np.asarray(inverse.T @ essential @ inverse)


@given(st.floats(0.45, 3.5), st.integers(0, 1000))
def test_the_grid_finds_the_focal_length_wherever_it_is(share: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    matrices = np.array([_fundamental(share * 640, 640, 480, rng) for _ in range(12)])
    assert best_focal(matrices, 640, 480) == pytest.approx(share * 640, rel=0.03)


@pytest.mark.parametrize("guess", [0.45, 2.4])
def test_a_wrong_guess_is_put_right_where_angles_are_large(guess: float, tmp_path: Path) -> None:
    solving = Solving(write_photographs(tmp_path / "images", 8, 0.5), tmp_path / "work")
    solving.camera["focal"] = guess
    info, _ = solving.solve(0, range(8))
    assert all(frame["registered"] for frame in info["frames"])
    assert info["cameras"][0]["params"][0] == pytest.approx(FOCAL, rel=0.05)
