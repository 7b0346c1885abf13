"""Similarities: exact without noise, whatever 30 % of the correspondences say with it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from core.geometry.cameras import Poses, align_poses, pose_errors, rotation_angles_deg
from core.geometry.robust import align_points
from core.geometry.sim3 import Array, Sim3, umeyama

seeds = st.integers(0, 2**32 - 1)


def random_sim3(rng: np.random.Generator) -> Sim3:
    return Sim3(float(np.exp(rng.uniform(-3, 3))), Rotation.random(rng=rng).as_matrix(), rng.uniform(-20, 20, 3))


def difference(one: Sim3, other: Sim3) -> float:
    """The largest relative difference of scale, rotation and translation."""
    return max(
        abs(one.scale / other.scale - 1),
        float(np.abs(one.rotation - other.rotation).max()),
        float(np.abs(one.translation - other.translation).max() / max(1.0, np.abs(other.translation).max())),
    )


@given(seeds)
def test_inverse_and_composition(seed: int) -> None:
    rng = np.random.default_rng(seed)
    one, other, points = random_sim3(rng), random_sim3(rng), rng.normal(size=(5, 3))
    np.testing.assert_allclose((one @ other).apply(points), one.apply(other.apply(points)), rtol=1e-9, atol=1e-8)
    assert difference(one @ one.inverse(), Sim3.identity()) < 1e-9
    assert difference(Sim3.from_json(one.to_json()), one) == 0


@given(seeds, st.integers(4, 200))
def test_umeyama_is_exact_without_noise(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    truth, source = random_sim3(rng), rng.normal(size=(count, 3))
    assert difference(umeyama(source, truth.apply(source), rng.uniform(0.1, 1, count)), truth) < 1e-6


def test_umeyama_refuses_what_tells_no_rotation() -> None:
    line = np.outer(np.arange(5.0), [1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match="not on one line"):
        umeyama(line, line)
    with pytest.raises(ValueError, match="three points"):
        umeyama(line[:2], line[:2])


def test_a_sim3_is_checked() -> None:
    with pytest.raises(ValueError, match="positive"):
        Sim3(-1.0, np.eye(3), np.zeros(3))
    with pytest.raises(ValueError, match="orthonormal"):
        Sim3(1.0, np.diag([1.0, 1.0, -1.0]), np.zeros(3))


def spoilt(rng: np.random.Generator, noise: float) -> tuple[Sim3, Array, Array, Array]:
    """300 correspondences seen from far, 30 % of them wrong."""
    truth, source = random_sim3(rng), rng.uniform(-1, 1, (300, 3)) + np.array([0, 0, 6])
    depth = np.linalg.norm(source, axis=1) * truth.scale
    target = truth.apply(source) + noise * depth[:, None] * rng.normal(size=(300, 3))
    wrong = rng.choice(300, 90, replace=False)
    target[wrong] += truth.scale * rng.uniform(-4, 4, (90, 3))
    return truth, source, target, depth


@settings(max_examples=30, deadline=None)
@given(seeds)
def test_exact_with_a_third_of_outliers_and_no_noise(seed: int) -> None:
    truth, source, target, depth = spoilt(np.random.default_rng(seed), 0.0)
    found = align_points(source, target, depth)
    assert found is not None
    assert difference(found.sim3, truth) < 1e-6


@settings(max_examples=30, deadline=None)
@given(seeds)
def test_to_the_noise_with_a_third_of_outliers(seed: int) -> None:
    noise = 0.005
    rng = np.random.default_rng(seed)
    truth, source, target, depth = spoilt(rng, noise)
    found = align_points(source, target, depth)
    assert found is not None
    away = np.linalg.norm(found.sim3.apply(source) - truth.apply(source), axis=1) / depth
    assert np.median(away) < noise / 2, "the mean of 200 noisy points is better than one of them"
    assert 180 <= found.inliers.sum() <= 240
    assert 0.5 * noise < found.noise < 3 * noise
    again = align_points(source, target, depth)
    assert again is not None
    assert difference(again.sim3, found.sim3) == 0, "deterministic"


def test_nothing_to_align() -> None:
    few = np.zeros((2, 3))
    assert align_points(few, few, np.ones(2)) is None


def random_poses(rng: np.random.Generator, count: int, straight: bool) -> Poses:
    positions = np.outer(np.arange(count), [1.0, 0.2, 0.0]) if straight else rng.normal(size=(count, 3))
    return Poses(Rotation.random(count, rng=rng).as_matrix(), positions)


@given(seeds, st.booleans())
def test_cameras_align_exactly_also_on_a_straight_path(seed: int, straight: bool) -> None:
    rng = np.random.default_rng(seed)
    source, truth = random_poses(rng, 6, straight), random_sim3(rng)
    assert source.rotations is not None
    reference = Poses(truth.rotation @ source.rotations, truth.apply(source.positions))
    found = align_poses(source, reference)
    assert difference(found, truth) < 1e-6
    errors = pose_errors(source, reference, found)
    assert errors.position.max() < 1e-6 * truth.scale * 10
    assert errors.rotation_deg is not None
    assert errors.rotation_deg.max() < 1e-5


def test_positions_on_a_line_are_not_enough() -> None:
    line = Poses(None, np.outer(np.arange(4.0), [1.0, 0.0, 0.0]))
    with pytest.raises(ValueError, match="give orientations too"):
        align_poses(line, line)
    still = Poses(None, np.zeros((4, 3)))
    with pytest.raises(ValueError, match="stand in one place"):
        align_poses(still, still)


def test_small_angles_are_exact() -> None:
    turned = Rotation.from_euler("z", 1e-6, degrees=True).as_matrix()[None]
    assert rotation_angles_deg(turned, np.eye(3)[None])[0] == pytest.approx(1e-6, rel=1e-6)
