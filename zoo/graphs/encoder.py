"""Agents -> tokens -> the shared backbone along the links. L layers are L hops in the direction of supply.

Axes: S scenarios of the same graphs, n agents, F features, D model width.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from zoo.attention import Backbone
from zoo.graphs.links import Links
from zoo.graphs.relation_heads import Binding, RelationHeads


class AgentEmbedding(nn.Module):
    """Features of an agent, on top of a constant vector of +1 and -1 (learned from there).

    The constant dominates each token's variance, so that the layer norms above are nearly linear in the features: a
    shock twice as large must not look like the same shock.
    """

    def __init__(self, num_features: int, dim: int):
        super().__init__()
        self.enter = nn.Linear(num_features, dim)
        nn.init.normal_(self.enter.weight, std=0.1)
        with torch.no_grad():
            self.enter.bias.copy_(torch.randint(0, 2, (dim,)) * 2.0 - 1.0)
        self.outside = nn.Parameter(self.enter.bias.detach().clone()[None])

    def forward(self, features: Float[Tensor, "S n F"]) -> Float[Tensor, "S n_and_1 D"]:
        """The agents, then the outside."""
        return torch.cat([self.enter(features), self.outside.expand(len(features), 1, -1)], 1)


class SeriesEmbedding(nn.Module):
    """Inputs of an agent that are logarithms and shares already: nothing has to stay linear, so nothing is added."""

    def __init__(self, num_features: int, dim: int):
        super().__init__()
        self.enter = nn.Linear(num_features, dim)
        self.outside = nn.Parameter(torch.zeros(1, dim))

    def forward(self, features: Float[Tensor, "S n F"]) -> Float[Tensor, "S n_and_1 D"]:
        """The agents, then the outside."""
        return torch.cat([self.enter(features), self.outside.expand(len(features), 1, -1)], 1)


class GraphEncoder(nn.Module):
    """Nothing reaches an agent but along links: no prefix tokens, no positions, no norm over agents."""

    def __init__(
        self,
        backbone: Backbone,
        embedding: AgentEmbedding | SeriesEmbedding,
        num_relations: int,
        binding: Binding = "biased",
    ):
        super().__init__()
        if backbone.num_prefix:
            raise ValueError(f"num_prefix={backbone.num_prefix}: prefix tokens would join all agents; give 0")
        self.embedding = embedding
        self.relation_heads = RelationHeads(backbone.blocks[0].attention.num_heads, num_relations, binding)

    def forward(self, backbone: Backbone, features: Float[Tensor, "S n F"], links: Links) -> Float[Tensor, "S n D"]:
        """backbone: the module's own, which a Lightning module keeps."""
        edges, bias = self.relation_heads(links)
        return backbone(self.embedding(features), edges, bias=bias).body[:, :-1]
