"""Superpixels merged step by step, most alike first: a tree whose nodes are the picture's regions at every scale."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from core.models.classical.superpixels import Superpixels

_COLOUR_WEIGHT = 1.0
_SIZE_POWER = 0.25  # small regions merge early, so that specks do not live on to the top


@dataclass(frozen=True, eq=False)
class MergeTree:
    """K superpixels are nodes 0 .. K-1, the M merges nodes K .. K+M-1, in the order in which they were made.

    Attributes:
        children: int64 [M, 2], the two nodes merged.
        area: float64 [K+M], pixels.
        born: float64 [K+M], how unlike the parts of a node are; 0 for superpixels.
        gone: float64 [K+M], how unlike a node is to what it was merged with; inf where it never was.
    """

    children: npt.NDArray[np.int64]
    area: npt.NDArray[np.float64]
    born: npt.NDArray[np.float64]
    gone: npt.NDArray[np.float64]


@dataclass(eq=False)
class _Graph:
    """The regions at one moment: their nodes, and which touch."""

    node: npt.NDArray[np.int64]
    area: npt.NDArray[np.float64]
    colour: npt.NDArray[np.float64]
    level: npt.NDArray[np.float64]
    edges: npt.NDArray[np.int64]
    length: npt.NDArray[np.float64]
    contrast: npt.NDArray[np.float64]

    def unlikeness(self) -> npt.NDArray[np.float64]:
        """Of each edge [E]: the picture's edge between two regions plus their colours' distance, by their size."""
        one, other = self.edges.T
        distance = np.linalg.norm(self.colour[one] - self.colour[other], axis=1)
        size = self.area[one] * self.area[other] / (self.area[one] + self.area[other])
        return np.asarray((self.contrast + _COLOUR_WEIGHT * distance) * size**_SIZE_POWER, np.float64)


def merge_all(cut: Superpixels) -> MergeTree:
    """Merge until nothing touches any more.

    Each round merges every two regions that are each other's most alike neighbour (reciprocal nearest neighbours,
    Murtagh, 1983), all at once. After the region merging of Arbelaez et al. (PAMI 2011), with simpler cues.
    """
    count = len(cut.area)
    graph = _Graph(
        np.arange(count), cut.area, cut.colour, np.zeros(count), cut.edges, cut.length, cut.contrast
    )  # fmt: skip
    children: list[npt.NDArray[np.int64]] = [np.zeros((0, 2), np.int64)]
    levels, areas, nodes = [np.zeros(count)], [cut.area], count
    while len(graph.edges):
        weights = graph.unlikeness()
        pairs = _mutual(graph.edges, weights)
        children.append(graph.node[graph.edges[pairs]])
        graph = _merge(graph, graph.edges[pairs], weights[pairs], nodes)
        levels.append(graph.level[: len(pairs)])
        areas.append(graph.area[: len(pairs)])
        nodes += len(pairs)
    merged, born = np.concatenate(children), np.concatenate(levels)
    gone = np.full(len(born), np.inf)
    gone[merged] = born[count:, None]
    return MergeTree(merged, np.concatenate(areas), born, gone)


def _mutual(edges: npt.NDArray[np.int64], weights: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Edges whose two regions have no lighter edge, either of them; of equal ones the first counts as lighter."""
    rank = np.empty(len(edges), np.int64)
    rank[np.argsort(weights, kind="stable")] = np.arange(len(edges))
    lightest = np.full(int(edges.max()) + 1, len(edges))
    np.minimum.at(lightest, edges.ravel(), rank.repeat(2))
    return np.asarray(np.flatnonzero((lightest[edges] == rank[:, None]).all(axis=1)), np.int64)


def _merge(graph: _Graph, pairs: npt.NDArray[np.int64], weights: npt.NDArray[np.float64], first_node: int) -> _Graph:
    """The graph after merging `pairs` [P, 2] of its regions, which come first, numbered from `first_node` on."""
    one, other = pairs.T
    stays = np.ones(len(graph.node), np.bool_)
    stays[pairs] = False
    place = np.empty(len(graph.node), np.int64)
    place[one] = place[other] = np.arange(len(pairs))
    place[stays] = len(pairs) + np.arange(np.count_nonzero(stays))
    area = graph.area[one] + graph.area[other]
    colour = (graph.area[one, None] * graph.colour[one] + graph.area[other, None] * graph.colour[other]) / area[:, None]
    level = np.maximum(weights, np.maximum(graph.level[one], graph.level[other]))
    return _Graph(
        np.concatenate([first_node + np.arange(len(pairs)), graph.node[stays]]),
        np.concatenate([area, graph.area[stays]]),
        np.concatenate([colour, graph.colour[stays]]),
        np.concatenate([level, graph.level[stays]]),
        *_joined(np.sort(place[graph.edges], axis=1), graph.length, graph.contrast),
    )


def _joined(
    edges: npt.NDArray[np.int64], length: npt.NDArray[np.float64], contrast: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Edges between the same two regions made one: lengths added, contrasts averaged by length."""
    apart = edges[:, 0] != edges[:, 1]
    edges, length, contrast = edges[apart], length[apart], contrast[apart]
    if not len(edges):
        return edges, length, contrast
    count = int(edges.max()) + 1
    found, which = np.unique(edges[:, 0] * count + edges[:, 1], return_inverse=True)
    total = np.asarray(np.bincount(which, length, len(found)), np.float64)
    joined = np.asarray(np.stack([found // count, found % count], axis=1), np.int64)
    return joined, total, np.bincount(which, length * contrast) / total
