"""What is asked of the tokens: a number of each agent, of each link, or of each graph.

Axes: S scenarios, n agents and E links of all graphs of a batch, G graphs, D model width, R relations.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from zoo.graphs.graph import SupplyGraph
from zoo.graphs.links import Links

Asked = Literal["agents", "links", "graphs"]


class AgentReadout(nn.Linear):
    def __init__(self, dim: int, num_relations: int):
        super().__init__(dim, 1)

    def forward(self, tokens: Float[Tensor, "S n D"], links: Links) -> Float[Tensor, "S n"]:
        return super().forward(tokens).squeeze(-1)


class LinkReadout(nn.Module):
    """From the tokens of both ends and the link's shares."""

    def __init__(self, dim: int, num_relations: int):
        super().__init__()
        self.read = nn.Sequential(nn.Linear(2 * dim + num_relations, 2 * dim), nn.GELU(), nn.Linear(2 * dim, 1))

    def forward(self, tokens: Float[Tensor, "S n D"], links: Links) -> Float[Tensor, "S E"]:
        shares = links.shares.expand(len(tokens), -1, -1)
        return self.read(torch.cat([tokens[:, links.supplier], tokens[:, links.buyer], shares], -1)).squeeze(-1)


class GraphReadout(nn.Linear):
    """The mean over the graph's agents: the only place where agents meet without a link."""

    def __init__(self, dim: int, num_relations: int):
        super().__init__(dim, 1)

    def forward(self, tokens: Float[Tensor, "S n D"], links: Links) -> Float[Tensor, "S G"]:
        each = super().forward(tokens).squeeze(-1)
        count = torch.bincount(links.graph)
        return each.new_zeros(len(each), len(count)).index_add(1, links.graph, each) / count


READOUTS = {"agents": AgentReadout, "links": LinkReadout, "graphs": GraphReadout}


def answered_by(graph: SupplyGraph, asked: Asked) -> list[str]:
    """A name for each number that is asked of a graph."""
    if asked == "agents":
        return list(graph.names)
    if asked == "graphs":
        return ["the graph"]
    return [f"{graph.names[s]} -> {graph.names[b]}" for s, b in zip(graph.supplier, graph.buyer, strict=True)]


def planted_answer(
    graph: SupplyGraph, shocks: Float[np.ndarray, "S n F"], response: Float[np.ndarray, "S n"], asked: Asked
) -> Float[np.ndarray, "S answers"]:
    """Of links: what each passes on, its share of the supplier's price. Of graphs: the mean response."""
    if asked == "agents":
        return response
    if asked == "graphs":
        return response.mean(1, keepdims=True)
    price = shocks.sum(-1) + response
    return (price[:, graph.supplier] * graph.shares.sum(1)).astype(np.float32)
