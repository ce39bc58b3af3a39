"""Where an agent stands in its graph, as numbers beside its features (`model.encodings`).

    degree       suppliers and buyers, log(1 + count), and the share bought, for each relation
    random walk  the probability to be back after 1, 2, ... steps (Dwivedi et al. 2022)
    Laplacian    eigenvectors of I - D^-1/2 A D^-1/2 of the undirected graph, the smallest first (Dwivedi &
                 Bresson 2020); their signs mean nothing, so training flips them at random
    distance     hops between any two agents as relations of an all-sees-all graph (Graphormer, Ying et al. 2021;
                 `data.sight=all`)

All of them look at the whole graph: with them a model of L layers still sees features within L hops alone, but not only
the links within L hops. Axes: n agents, R relations, k numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from zoo.graphs.graph import SupplyGraph, build_graph
from zoo.graphs.leontief import hop_distance

Encoding = Literal["degree", "random_walk", "laplacian"]
ENCODINGS = ("degree", "random_walk", "laplacian")
FARTHEST = 4  # hops that are told apart
DISTANCES = (*(f"{k + 1} hop{'s' if k else ''}" for k in range(FARTHEST)), "farther")


class Standing(nn.Module):
    """The encodings asked for, of all agents of a batch, side by side. `width` numbers of each agent."""

    def __init__(self, kinds: Sequence[Encoding], num_relations: int):
        super().__init__()
        self.kinds = tuple(kinds)
        self.width = sum(3 * num_relations if kind == "degree" else 8 for kind in self.kinds)

    def forward(self, graphs: Sequence[SupplyGraph]) -> Float[Tensor, "n k"]:
        return torch.cat([torch.cat([self._of(kind, graph) for kind in self.kinds], 1) for graph in graphs])

    def _of(self, kind: Encoding, graph: SupplyGraph) -> Float[Tensor, "n k"]:
        found = {"degree": degrees, "random_walk": random_walk, "laplacian": laplacian}[kind](graph)
        values = torch.from_numpy(found).float()
        if kind == "laplacian" and self.training:
            values = values * (torch.randint(0, 2, (values.shape[1],)) * 2 - 1)
        return values


def degrees(graph: SupplyGraph) -> Float[np.ndarray, "n 3R"]:
    there = graph.shares > 0
    into, out = (np.zeros((len(graph), there.shape[1])) for _ in range(2))
    np.add.at(into, graph.buyer, there)
    np.add.at(out, graph.supplier, there)
    return np.concatenate([np.log1p(into), np.log1p(out), graph.bought], 1)


def random_walk(graph: SupplyGraph, steps: int = 8) -> Float[np.ndarray, "n k"]:
    """Along links in either direction; an agent without any stays where it is."""
    both = _either_way(graph)
    walk = np.where(both.sum(1, keepdims=True) > 0, both, np.eye(len(graph)))
    walk = walk / walk.sum(1, keepdims=True)
    power, back = np.eye(len(graph)), []
    for _ in range(steps):
        power = power @ walk
        back.append(np.diag(power))
    return np.stack(back, 1)


def laplacian(graph: SupplyGraph, count: int = 8) -> Float[np.ndarray, "n k"]:
    """Zeros fill up where the graph has fewer agents."""
    both = _either_way(graph)
    root = 1 / np.sqrt(np.maximum(both.sum(1), 1))
    _, vectors = np.linalg.eigh(np.eye(len(graph)) - root[:, None] * both * root)
    found = vectors[:, 1 : count + 1]
    return np.pad(found, ((0, 0), (0, count - found.shape[1])))


def all_see_all(graph: SupplyGraph, farthest: int = FARTHEST) -> SupplyGraph:
    """The global mode: everyone supplies everyone, in relations "1 hop", ..., "farther": the distance encodings.
    Each relation is an equal part of the cost. Shares are equal within it; "1 hop" has those of the graph."""
    distance = hop_distance(graph.matrix())
    np.fill_diagonal(distance, 0)
    kind = np.where(np.isinf(distance), farthest, np.minimum(distance, farthest + 1) - 1)
    buyer, supplier = np.nonzero(~np.eye(len(graph), dtype=bool))
    kinds = sorted(set(kind[buyer, supplier].astype(int)))
    number = np.searchsorted(kinds, kind[buyer, supplier])
    count = np.zeros((len(graph), len(kinds)))
    np.add.at(count, (buyer, number), 1)
    names = [f"{k + 1} hop{'s' if k else ''}" if k < farthest else "farther" for k in kinds]
    own = graph.matrix()[buyer, supplier]
    weight = np.where(own > 0, own, 1 / count[buyer, number]) / len(kinds)
    return build_graph(graph.names, supplier, buyer, number, weight, names, graph.features, graph.feature_names)


def direct(graph: SupplyGraph) -> SupplyGraph:
    """The links themselves: those of one hop where all see all, all of them elsewhere."""
    if not set(graph.relations) <= set(DISTANCES):
        return graph
    near = graph.shares[:, [name == DISTANCES[0] for name in graph.relations]].sum(1) > 0
    return graph.without(np.flatnonzero(~near))


def _either_way(graph: SupplyGraph) -> Float[np.ndarray, "n n"]:
    w = graph.matrix() > 0
    return (w | w.T).astype(float)
