"""Many models, each in its own scale and frame, laid into one: a graph of robust similarities, refined together."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array, csgraph
from scipy.sparse.linalg import spsolve

from core.geometry.sim3 import Array, Sim3, nearest_rotation

_MOST_POINTS = 300
_LEAST_NOISE = 1e-6
_ITERATIONS = 40
_CONFLICT = 4.0


@dataclass(frozen=True, eq=False)
class Edge:
    """Two models that share points, and how they were aligned.

    Attributes:
        source: number of one model.
        target: of the other.
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
    """Lay models into the frame of one of them.

    Each is put where the chain of its strongest edges says, then all are refined together: Gauss-Newton over all
    shared points, an error counted in units of its pair's noise. Least squares on purpose: where a model is not rigid,
    for example of another scale in one half than in the other, all its edges are strained, and its neighbours' only
    where they touch it. The most strained is left out, and the rest placed anew, until none is strained. Loops, and
    models that share matches without overlapping, are what shows that; a mere chain has nothing to disagree with.

    Args:
        models: their numbers.
        edges: at most one for each pair of them.

    Returns:
        The placement of the largest connected part; the frame is that of the lowest number in it.
    """
    left, used = sorted(models), list(edges)
    rejected: dict[int, str] = {}
    while True:
        part = _largest_part(left, used)
        for model in set(left) - set(part):
            rejected[model] = "shares too few points with the other windows"
        left = part
        used = [edge for edge in used if edge.source in left and edge.target in left]
        if len(left) < 2:
            return Placement({model: Sim3.identity() for model in left}, rejected)
        placed = _refine(_chain(left, used), used)
        worst, conflict = _worst(placed, used)
        if conflict <= _CONFLICT:
            return Placement(placed, rejected)
        rejected[worst] = f"not rigid: {conflict:.0f} times farther from its neighbours than each pair is by itself"
        left = [model for model in left if model != worst]
        used = [edge for edge in used if worst not in (edge.source, edge.target)]


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
    """Gauss-Newton on the group: a step moves a placed point `y` by `omega x y + sigma y + tau`."""
    models = sorted(placed)
    index = {model: row - 1 for row, model in enumerate(models)}  # the first stays
    for _ in range(_ITERATIONS):
        system = _System(len(models) - 1)
        for edge in edges:
            at = edge.sample()
            one, other = placed[edge.source], placed[edge.target]
            here, there = one.apply(edge.source_xyz[at]), other.apply(edge.target_xyz[at])
            sigma = other.scale * edge.depth[at] * max(edge.noise, _LEAST_NOISE)
            error = here - there
            system.add(index[edge.source], index[edge.target], _jacobian(here), -_jacobian(there), error, 1 / sigma**2)
        steps = system.solve()
        for model in models[1:]:
            placed = placed | {model: _step(steps[index[model]], placed[model])}
        if np.abs(steps[:, :4]).max(initial=0) < 1e-12:
            break
    return placed


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

    def solve(self) -> Array:
        """The step of each unknown, [unknowns, 7]."""
        inner = np.arange(7)
        rows = np.concatenate([np.repeat(7 * r + inner, 7) for r, _, _ in self._blocks])
        columns = np.concatenate([np.tile(7 * c + inner, 7) for _, c, _ in self._blocks])
        values = np.concatenate([block.ravel() for _, _, block in self._blocks])
        matrix = coo_array((values, (rows, columns)), shape=(self._size, self._size)).tocsc()
        steps: Array = np.asarray(spsolve(matrix, self._right)).reshape(-1, 7)
        return steps


def _step(step: Array, old: Sim3) -> Sim3:
    omega, sigma, tau = step[:3], step[3], step[4:]
    cross = np.array([[0, -omega[2], omega[1]], [omega[2], 0, -omega[0]], [-omega[1], omega[0], 0]])
    rotation = nearest_rotation(np.eye(3) + cross + cross @ cross / 2)
    return Sim3(float(np.exp(np.clip(sigma, -0.5, 0.5))), rotation, tau) @ old


def _worst(placed: dict[int, Sim3], edges: Sequence[Edge]) -> tuple[int, float]:
    """The model that disagrees most with its neighbours: the median over its edges of how much more than alone."""
    told: dict[int, list[float]] = {model: [] for model in placed}
    for edge in edges:
        one, other = placed[edge.source], placed[edge.target]
        away = np.linalg.norm(one.apply(edge.source_xyz) - other.apply(edge.target_xyz), axis=1)
        conflict = float(np.median(away / (other.scale * edge.depth))) / max(edge.noise, 0.003)
        told[edge.source].append(conflict)
        told[edge.target].append(conflict)
    conflicts = {model: float(np.mean(of)) for model, of in told.items() if of}
    worst = max(conflicts, key=lambda model: (conflicts[model], model))
    return worst, conflicts[worst]
