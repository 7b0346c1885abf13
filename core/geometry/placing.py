"""Many models, each in its own scale and frame, laid into one: a graph of robust similarities, refined together."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array, csgraph, diags_array
from scipy.sparse.linalg import splu

from core.geometry.sim3 import Array, Sim3, nearest_rotation

_MOST_POINTS = 300
_LEAST_NOISE = 0.003
_ITERATIONS = 40
_NEAR = 3
_LEAST_INLIERS = 50
_MAX_LOG_SCALE, _MAX_SHIFT = 0.15, 0.1
_SURE = 4.0


@dataclass(frozen=True, eq=False)
class Edge:
    """Two models that share points, and how they were aligned.

    Attributes:
        source: number of one model.
        target: of the other, which is higher.
        sim3: takes the first model's frame to the second's.
        source_xyz: [N, 3], the inliers in the first.
        target_xyz: [N, 3], the same points in the second.
        depth: [N], of the points in the second.
        noise: median residual as a share of the depth.
    """

    source: int
    target: int
    sim3: Sim3
    source_xyz: Array
    target_xyz: Array
    depth: Array
    noise: float

    def sample(self) -> npt.NDArray[np.intp]:
        """Indices of points spread evenly over all, not too many."""
        return np.unique(np.linspace(0, len(self.depth) - 1, min(len(self.depth), _MOST_POINTS)).astype(np.intp))


@dataclass(frozen=True)
class Placement:
    """Where models were placed: the transform to the common frame of each; and why the others were not."""

    world_from_model: dict[int, Sim3]
    rejected: dict[int, str]


def place(models: Sequence[int], edges: Sequence[Edge]) -> Placement:
    """Lay models, numbered along a sequence, into the frame of one of them.

    First what does not fit is left out. Going round three models by their edges should end where it began; where
    scale or place are off by far more than noise, one of them is not rigid, for example of another scale in one half
    than in the other. Of three near each other that is the one in the middle, which bridges the others; where one of
    them is far off, it is an alignment that was mistaken, the one with fewer inliers. (Models that only form a chain
    cannot contradict each other.) Then each is put where the chain of its strongest edges says, and all are refined
    together.

    Args:
        models: their numbers.
        edges: at most one for each pair of them.

    Returns:
        The placement of the largest connected part; the frame is that of the lowest number in it.
    """
    left, used = sorted(models), list(edges)
    rejected: dict[int, str] = {}
    while conflicts := _conflicts(used):
        far = [edge for conflict in conflicts for edge in conflict.far]
        if far:
            weakest = min(far, key=lambda edge: (len(edge.depth), edge.source, edge.target))
            used = [edge for edge in used if edge is not weakest]
            continue
        votes = Counter(conflict.middle for conflict in conflicts)
        worst = max(sorted(votes), key=lambda model: votes[model])
        rejected[worst] = max(conflict.text for conflict in conflicts if conflict.middle == worst)
        left = [model for model in left if model != worst]
        used = [edge for edge in used if worst not in (edge.source, edge.target)]
    part = _largest_part(left, used)
    for model in set(left) - set(part):
        rejected[model] = "shares too few points with the other windows"
    used = [edge for edge in used if edge.source in part and edge.target in part]
    return Placement(_refine(_chain(part, used), used), rejected)


@dataclass(frozen=True)
class _Conflict:
    """Three models whose edges contradict each other: the middle one, those of the edges that reach far, and how."""

    middle: int
    far: list[Edge]
    text: str


def _conflicts(edges: Sequence[Edge]) -> list[_Conflict]:
    known = {(edge.source, edge.target): edge for edge in edges if len(edge.depth) >= _LEAST_INLIERS}
    after: dict[int, list[int]] = {}
    for one, other in sorted(known):
        after.setdefault(one, []).append(other)
    found = []
    for i, others in after.items():
        for j, k in combinations(others, 2):
            if (j, k) in known:
                conflict = _round_trip(i, j, k, known)
                found += [conflict] if conflict is not None else []
    return found


def _round_trip(i: int, j: int, k: int, known: dict[tuple[int, int], Edge]) -> _Conflict | None:
    first, second, direct = three = known[i, j], known[j, k], known[i, k]
    trip = direct.sim3.inverse() @ second.sim3 @ first.sim3  # over j to k, and back: should be the identity
    points, depth = first.source_xyz, first.depth / first.sim3.scale
    shift = float(np.median(np.linalg.norm(trip.apply(points) - points, axis=1) / depth))
    noise = sum(max(edge.noise, _LEAST_NOISE) for edge in three)
    if shift < _SURE * noise or (abs(np.log(trip.scale)) < _MAX_LOG_SCALE and shift < _MAX_SHIFT):
        return None
    far = [edge for edge in three if abs(edge.source - edge.target) > _NEAR]
    text = f"not rigid: from window {i} over {j} to {k} and back, scale is off by {trip.scale:.2f}"
    return _Conflict(j, far, f"{text} and places by {shift:.0%} of their depth")


def _largest_part(models: Sequence[int], edges: Sequence[Edge]) -> list[int]:
    index = {model: row for row, model in enumerate(models)}
    rows, columns = [index[e.source] for e in edges], [index[e.target] for e in edges]
    graph = coo_array((np.ones(len(edges)), (rows, columns)), shape=(len(models), len(models)))
    _, labels = csgraph.connected_components(graph, directed=False)
    largest = int(np.bincount(labels).argmax())
    return [model for model, label in zip(models, labels, strict=True) if label == largest]


def _chain(models: Sequence[int], edges: Sequence[Edge]) -> dict[int, Sim3]:
    """Start values along the maximum spanning tree of the edges' inliers."""
    placed = {models[0]: Sim3.identity()}
    while len(placed) < len(models):
        edge = max(
            (e for e in edges if (e.source in placed) != (e.target in placed)),
            key=lambda e: (len(e.depth), -e.source, -e.target),
        )
        if edge.target in placed:
            placed[edge.source] = placed[edge.target] @ edge.sim3
        else:
            placed[edge.target] = placed[edge.source] @ edge.sim3.inverse()
    return placed


def _refine(placed: dict[int, Sim3], edges: Sequence[Edge]) -> dict[int, Sim3]:
    """Levenberg-Marquardt on the group: a step moves a placed point `y` by `omega x y + sigma y + tau`.

    An error counts in units of its pair's noise at the start: weights that followed the scales would reward shrinking.
    """
    models = sorted(placed)
    index = {model: row - 1 for row, model in enumerate(models)}  # the first stays
    sigmas = [
        placed[edge.target].scale * edge.depth[edge.sample()] * max(edge.noise, _LEAST_NOISE) for edge in edges
    ]  # fmt: skip
    damping, cost = 1e-6, _cost(placed, edges, sigmas)
    for _ in range(_ITERATIONS if len(models) > 1 else 0):
        system = _System(len(models) - 1)
        for edge, sigma in zip(edges, sigmas, strict=True):
            here, there = _ends(placed, edge)
            ja, jb = _jacobian(here), -_jacobian(there)
            system.add(index[edge.source], index[edge.target], ja, jb, here - there, 1 / sigma**2)
        steps = system.solve(damping)
        moved = placed | {model: _step(steps[index[model]], placed[model]) for model in models[1:]}
        after = _cost(moved, edges, sigmas)
        if not after <= cost:  # also where it is no number
            damping *= 100
            continue
        done = cost - after <= 1e-12 * cost
        placed, cost, damping = moved, after, damping / 10
        if done:
            break
    return placed


def _ends(placed: dict[int, Sim3], edge: Edge) -> tuple[Array, Array]:
    at = edge.sample()
    return placed[edge.source].apply(edge.source_xyz[at]), placed[edge.target].apply(edge.target_xyz[at])


def _cost(placed: dict[int, Sim3], edges: Sequence[Edge], sigmas: Sequence[Array]) -> float:
    total = 0.0
    for edge, sigma in zip(edges, sigmas, strict=True):
        here, there = _ends(placed, edge)
        total += float((((here - there) / sigma[:, None]) ** 2).sum())
    return total


def _jacobian(points: Array) -> Array:
    """[N, 3, 7]: how placed points [N, 3] move with omega, sigma, tau."""
    jacobian = np.zeros((len(points), 3, 7))
    x, y, z = points.T
    jacobian[:, 0, 1], jacobian[:, 0, 2] = z, -y
    jacobian[:, 1, 0], jacobian[:, 1, 2] = -z, x
    jacobian[:, 2, 0], jacobian[:, 2, 1] = y, -x
    jacobian[:, :, 3] = points
    jacobian[:, :, 4:] = np.eye(3)
    return jacobian


class _System:
    """The normal equations, sparse, in blocks of seven."""

    def __init__(self, unknowns: int) -> None:
        self._size = 7 * unknowns
        self._blocks: list[tuple[int, int, Array]] = []
        self._right = np.zeros(self._size)

    def add(self, one: int, other: int, ja: Array, jb: Array, error: Array, weight: Array) -> None:
        """Add an edge's correspondences; -1 stands for the model that stays."""
        for row, j in ((one, ja), (other, jb)):
            if row < 0:
                continue
            weighted = j * weight[:, None, None]
            self._right[7 * row : 7 * row + 7] -= np.einsum("nij,ni->j", weighted, error)
            for column, k in ((one, ja), (other, jb)):
                if column >= 0:
                    self._blocks.append((row, column, np.einsum("nij,nik->jk", weighted, k)))

    def solve(self, damping: float) -> Array:
        """The damped step of each unknown, [unknowns, 7]; none where there is no number for it."""
        inner = np.arange(7)
        rows = np.concatenate([np.repeat(7 * r + inner, 7) for r, _, _ in self._blocks])
        columns = np.concatenate([np.tile(7 * c + inner, 7) for _, c, _ in self._blocks])
        values = np.concatenate([block.ravel() for _, _, block in self._blocks])
        matrix = coo_array((values, (rows, columns)), shape=(self._size, self._size)).tocsc()
        damped = matrix + diags_array(damping * matrix.diagonal() + 1e-300).tocsc()
        steps: Array = np.nan_to_num(np.asarray(splu(damped).solve(self._right))).reshape(-1, 7)
        return steps


def _step(step: Array, old: Sim3) -> Sim3:
    omega, sigma, tau = step[:3], step[3], step[4:]
    cross = np.array([[0, -omega[2], omega[1]], [omega[2], 0, -omega[0]], [-omega[1], omega[0], 0]])
    rotation = nearest_rotation(np.eye(3) + cross + cross @ cross / 2)
    return Sim3(float(np.exp(np.clip(sigma, -0.5, 0.5))), rotation, tau) @ old
