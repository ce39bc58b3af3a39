"""How much of each agent's response comes from each other agent, by the model's gradient and along its attention.

    gradient    J_ij = d response_i / d feature_j: with independent unit shocks and a linear law, exactly l_ij
    attention   products of attention along paths, over all ways to lay k hops into L layers, the last hop last:
                I = sum_k  sum_{l1 > ... > lk} (prod alpha) A_l1 ... A_lk  /  sum (prod alpha)
                where A_l joins the heads of a layer, and alpha is each head's part of attention x gradient

Axes: n agents, E links, L layers, H heads, F features.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from zoo.attention import Observer, observe
from zoo.graphs.batch import Batch
from zoo.graphs.graph import SupplyGraph
from zoo.graphs.links import Links

if TYPE_CHECKING:
    from zoo.graphs.model import PropagationModel

MOST_COPIES = 128  # of a graph, at once


class LinkWeights(Observer):
    """Attention at the links alone: O(E)."""

    def __init__(self, links: Links) -> None:
        self.links = links
        self.weights: dict[str, Float[Tensor, "B H E"]] = {}

    def rows(self, layer: str, start: int, probabilities: Tensor, queries: int) -> None:
        self._keep(self.weights, layer, start, probabilities)

    def _keep(self, found: dict[str, Tensor], layer: str, start: int, block: Float[Tensor, "B H rows n"]) -> None:
        if start == 0:
            found[layer] = block.new_zeros(*block.shape[:2], len(self.links.buyer))
        here = (self.links.buyer >= start) & (self.links.buyer < start + block.shape[2])
        found[layer][..., here] = block[:, :, self.links.buyer[here] - start, self.links.supplier[here]]


class LinkAttention(LinkWeights):
    """And attention x gradient, once a backward pass has come by."""

    def __init__(self, links: Links) -> None:
        super().__init__(links)
        self.products: dict[str, Float[Tensor, "B H E"]] = {}

    def gradients(self, layer: str, start: int, probabilities: Tensor, gradient: Tensor, queries: int) -> None:
        self._keep(self.products, layer, start, probabilities * gradient)


class Influence(NamedTuple):
    """buyer i, supplier j. gradient and attention: as above. weights: mean attention of each head at each link.
    parts: each head's share of |attention x gradient|, over all layers 1."""

    gradient: Float[np.ndarray, "n n F"]
    attention: Float[np.ndarray, "n n"]
    weights: Float[np.ndarray, "L H E"]
    parts: Float[np.ndarray, "L H"]

    @property
    def effect(self) -> Float[np.ndarray, "n n"]:
        """Of the feature that acts most, for each pair."""
        most = np.abs(self.gradient).argmax(-1)
        return np.take_along_axis(self.gradient, most[..., None], -1)[..., 0]


def influence(model: PropagationModel, graph: SupplyGraph, at: Float[np.ndarray, "n F"] | None = None) -> Influence:
    """Around one scenario; around no shocks, if none is given. Copies of the graph, one for each response asked."""
    n = len(graph)
    at = np.zeros((n, len(model.features)), dtype=np.float32) if at is None else at
    links = Links.of([graph]).to(model.device)
    gradient, weights, parts = [], 0.0, 0.0
    for start in range(0, n, MOST_COPIES):
        asked = range(start, min(start + MOST_COPIES, n))
        features = torch.as_tensor(at, dtype=torch.float32, device=model.device).repeat(len(asked), 1, 1)
        features.requires_grad_()
        seen = LinkAttention(links)
        with torch.enable_grad(), observe(model.backbone, seen):
            response = model(Batch(features, torch.full(features.shape[:2], torch.nan), links, (graph,)))
            total = response[torch.arange(len(asked)), torch.tensor(asked)].sum()
            gradient.append(torch.autograd.grad(total, features)[0].cpu())
        weights = weights + torch.stack([w.sum(0) for w in seen.weights.values()]).cpu()
        parts = parts + torch.stack([seen.products[layer].abs().sum((0, 2)) for layer in seen.weights]).cpu()
    weights, parts = (weights / n).numpy(), (parts / parts.sum().clamp_min(1e-30)).numpy()
    return Influence(torch.cat(gradient).numpy(), along_paths(weights, parts, graph), weights, parts)


def along_paths(
    weights: Float[np.ndarray, "L H E"], parts: Float[np.ndarray, "L H"], graph: SupplyGraph
) -> Float[np.ndarray, "n n"]:
    """Attention multiplied along all paths of up to L hops, summed over paths; each agent reaches itself with 1."""
    n, layers = len(graph), len(weights)
    alpha = parts.sum(1)
    by_length = np.zeros((layers + 1, n, n))
    by_length[0] = np.eye(n)
    ways = np.zeros(layers + 1)
    ways[0] = 1.0
    for layer in range(layers):
        joined = np.zeros((n, n))
        joined[graph.buyer, graph.supplier] = parts[layer] @ weights[layer]
        for k in range(layer + 1, 0, -1):
            by_length[k] += joined @ by_length[k - 1]
            ways[k] += alpha[layer] * ways[k - 1]
    return sum(by_length[k] / max(ways[k], 1e-30) for k in range(layers + 1))


class Path(NamedTuple):
    """From a distant supplier (last) to the buyer (first). score: attention along it."""

    agents: tuple[int, ...]
    links: tuple[int, ...]
    score: float


def strongest_paths(found: Influence, graph: SupplyGraph, buyer: int, most: int = 10, beam: int = 200) -> list[Path]:
    """The paths that end at `buyer`, by attention along them; at each length the best `beam` are followed on."""
    layers = len(found.weights)
    alpha = found.parts.sum(1)
    steps = np.einsum("lh,lhe->le", found.parts, found.weights)  # of each layer, times alpha
    into: dict[int, np.ndarray] = {i: np.flatnonzero(graph.buyer == i) for i in range(len(graph))}
    frontier = [Path((buyer,), (), 1.0)]
    everything: list[Path] = []
    for _ in range(layers):
        longer = []
        for path in frontier:
            for e in into[path.agents[-1]]:
                links = (*path.links, int(e))
                agents = (*path.agents, int(graph.supplier[e]))
                longer.append(Path(agents, links, _laid_into_layers(steps[:, list(links)], alpha)))
        frontier = sorted(longer, key=lambda p: -p.score)[:beam]
        everything += frontier
    return sorted(everything, key=lambda p: -p.score)[:most]


def _laid_into_layers(steps: Float[np.ndarray, "L k"], alpha: Float[np.ndarray, " L"]) -> float:
    """Mean over the ways to give k hops to L layers; hop 0 ends at the buyer, so it takes the latest layer."""
    layers, k = steps.shape
    total, ways = np.zeros(k + 1), np.zeros(k + 1)
    total[0] = ways[0] = 1.0
    for layer in range(layers):  # the earliest layers take the farthest hops
        for taken in range(min(layer + 1, k), 0, -1):
            total[taken] += steps[layer, k - taken] * total[taken - 1]
            ways[taken] += alpha[layer] * ways[taken - 1]
    return float(total[k] / max(ways[k], 1e-30))


def alone(model: PropagationModel, graph: SupplyGraph, path: Path) -> Float[np.ndarray, " F"]:
    """What the path does by itself: d response of its buyer / d features of its end, all other links cut."""
    others = np.setdiff1d(np.arange(len(graph.supplier)), path.links)
    return influence(model, graph.without(others)).gradient[path.agents[0], path.agents[-1]]
