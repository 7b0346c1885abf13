import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from core.geometry.pinhole import back_project, project, rescaled

LENS = np.array([[300.0, 2.0, 159.5], [0, 310.0, 119.5], [0, 0, 1]])
seeds = st.integers(0, 2**32 - 1)


def _pose(rng: np.random.Generator) -> np.ndarray:
    return np.column_stack([Rotation.random(rng=rng).as_matrix(), rng.normal(size=3)])


@given(seeds)
def test_there_and_back(seed: int) -> None:
    rng = np.random.default_rng(seed)
    pose, xy, depth = _pose(rng), rng.uniform(-50, 400, (20, 2)), rng.uniform(0.1, 10, 20)
    again, z = project(back_project(xy, depth, LENS, pose), LENS, pose)
    np.testing.assert_allclose(again, xy, atol=1e-6)
    np.testing.assert_allclose(z, depth, rtol=1e-9)


@given(seeds)
def test_projection_is_the_matrix_formula(seed: int) -> None:
    rng = np.random.default_rng(seed)
    pose, xyz = _pose(rng), rng.normal(size=(10, 3)) * 3
    xy, depth = project(xyz, LENS, pose)
    homogeneous = (LENS @ pose @ np.column_stack([xyz, np.ones(10)]).T).T
    np.testing.assert_allclose(depth, homogeneous[:, 2], atol=1e-9)
    np.testing.assert_allclose(xy, homogeneous[:, :2] / homogeneous[:, 2:], rtol=1e-6, atol=1e-6)


@given(seeds, st.integers(1, 200), st.integers(1, 200))
def test_a_point_does_not_depend_on_the_others(seed: int, count: int, chosen: int) -> None:
    rng = np.random.default_rng(seed)
    pose, xyz = _pose(rng), rng.normal(size=(count, 3))
    one = chosen % count
    for whole, part in zip(project(xyz, LENS, pose), project(xyz[one : one + 1], LENS, pose), strict=True):
        assert whole[one : one + 1].tobytes() == part.tobytes()


def test_corners_stay_corners_when_an_image_is_resized() -> None:
    """A point on the left edge of the first pixel is on the left edge of the resized first pixel."""
    camera = np.array([[100.0, 0, 49.5], [0, 100, 39.5], [0, 0, 1]])
    small = rescaled(camera, 0.5, 0.25)
    at_corner = back_project(np.array([[-0.5, -0.5]]), np.array([2.0]), camera, np.eye(4)[:3])
    xy, _ = project(at_corner, small, np.eye(4)[:3])
    np.testing.assert_allclose(xy, [[-0.5, -0.5]], atol=1e-9)
    np.testing.assert_allclose(rescaled(small, 2.0, 4.0), camera)
