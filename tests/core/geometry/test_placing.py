"""Many models into one: synthetic windows of one scene, each in a frame of its own."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from test_sim3 import difference, random_sim3

from core.geometry.placing import Edge, place
from core.geometry.robust import align_points
from core.geometry.sim3 import Array, Sim3

WINDOWS, POINTS = 7, 60


class Scene:
    """Points along a path. Window `n` sees blocks 2n to 2n + 4: a first half, a second half, and a little beyond, so
    that it shares its second half with the next window, and one block with the one after that."""

    def __init__(self, seed: int, noise: float = 0.0) -> None:
        self.rng = np.random.default_rng(seed)
        blocks = 2 * WINDOWS + 3
        along = np.arange(blocks)[:, None, None] * np.array([0.5, 0, 0])
        self.blocks = self.rng.uniform(-1, 1, (blocks, POINTS, 3)) + along
        self.truth = [random_sim3(self.rng) for _ in range(WINDOWS)]
        self.seen = [
            {
                block: self.noisy(self.truth[n].inverse().apply(self.blocks[block]), noise, n)
                for block in range(2 * n, 2 * n + 5)
            }
            for n in range(WINDOWS)
        ]

    def noisy(self, points: Array, noise: float, window: int) -> Array:
        spread: Array = points + noise / self.truth[window].scale * self.rng.normal(size=points.shape)
        return spread

    def edges(self) -> list[Edge]:
        found = []
        for i in range(WINDOWS):
            for j in range(i + 1, min(i + 3, WINDOWS)):
                common = sorted(self.seen[i].keys() & self.seen[j].keys())
                one = np.concatenate([self.seen[i][block] for block in common])
                other = np.concatenate([self.seen[j][block] for block in common])
                depth = np.full(len(one), 5 / self.truth[j].scale)
                aligned = align_points(one, other, depth)
                assert aligned is not None
                kept = aligned.inliers
                found.append(Edge(i, j, aligned.sim3, one[kept], other[kept], depth[kept], aligned.noise))
        return found


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000))
def test_exact_without_noise(seed: int) -> None:
    scene = Scene(seed)
    placed = place(range(WINDOWS), scene.edges())
    assert placed.rejected == {}
    for n in range(WINDOWS):
        wanted = scene.truth[0].inverse() @ scene.truth[n]
        assert difference(placed.world_from_model[n], wanted) < 1e-6


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000))
def test_refined_to_the_noise(seed: int) -> None:
    noise = 0.01
    scene = Scene(seed, noise)
    placed = place(range(WINDOWS), scene.edges())
    assert placed.rejected == {}
    for n in range(WINDOWS):
        points = scene.truth[n].inverse().apply(scene.blocks[2 * n])
        wanted = scene.truth[0].inverse().apply(scene.blocks[2 * n])
        away = np.linalg.norm(placed.world_from_model[n].apply(points) - wanted, axis=1) * scene.truth[0].scale
        assert np.median(away) < 6 * noise, n


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, WINDOWS - 3), st.sampled_from([0.6, 0.75, 1.35, 1.8]))
def test_a_window_with_a_wrong_scale_is_rejected(seed: int, bad: int, scale: float) -> None:
    """Its second half is of another scale than its first: each pair by itself looks fine, all together do not."""
    scene = Scene(seed, 0.002)
    pivot = scene.seen[bad][2 * bad].mean(0)
    for block in (2 * bad + 2, 2 * bad + 3, 2 * bad + 4):
        scene.seen[bad][block] = scale * (scene.seen[bad][block] - pivot) + pivot
    placed = place(range(WINDOWS), scene.edges())
    assert set(placed.rejected) == {bad}
    assert "not rigid" in placed.rejected[bad]
    good = [n for n in range(WINDOWS) if n != bad]
    assert sorted(placed.world_from_model) == good
    for n in good:
        wanted = scene.truth[0].inverse() @ scene.truth[n]
        assert abs(placed.world_from_model[n].scale / wanted.scale - 1) < 0.02


def test_islands_are_named() -> None:
    scene = Scene(0)
    edges = [edge for edge in scene.edges() if edge.target < 4]
    placed = place(range(WINDOWS), edges)
    assert sorted(placed.world_from_model) == [0, 1, 2, 3]
    assert set(placed.rejected) == {4, 5, 6}
    assert "too few points" in placed.rejected[4]


def test_one_window_stays_where_it_is() -> None:
    placed = place([3], [])
    assert difference(placed.world_from_model[3], Sim3.identity()) == 0
