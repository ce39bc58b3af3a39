"""Which head listens to which relation, and how much of the attention that makes.

Head h opens relation r by a gate g_hr in [0, 1]. A link's share in the eyes of the head is w_he = sum_r g_hr W_er, and
what is left of 1 goes to the outside. Its logarithm is the bias of the attention's logits, so before any content is
compared head h attends with exactly these shares:  A_he = w_he,  A_h,outside = 1 - sum_e w_he.

    masked   g is 1 for the head's own relation and 0 for the others: a hard mask for each head (the edges are gone)
    biased   g is learned; `impurity` is what a loss can ask to fall
    unseen   g is 1: no head knows of relations

Axes: as in `zoo.graphs.links`.
"""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from zoo.attention import EdgeBias, Edges
from zoo.graphs.links import Links

LEAST = 1e-6  # a share below counts as this much: logarithms are finite
STEEP = 10.0  # Adam moves a number by about its learning rate a step: gates must be able to close within a training
Binding = Literal["masked", "biased", "unseen"]


class RelationHeads(nn.Module):
    """The gates. Masked heads take turns: head h has relation h mod R."""

    def __init__(self, num_heads: int, num_relations: int, binding: Binding = "biased"):
        super().__init__()
        if binding not in ("masked", "biased", "unseen"):
            raise ValueError(f"binding: expected masked, biased or unseen, got {binding!r}")
        self.binding = binding
        own = torch.arange(num_heads)[:, None] % num_relations == torch.arange(num_relations)
        self.register_buffer("allowed", own if binding == "masked" else torch.ones_like(own), persistent=False)
        self.table = None
        if binding == "biased":
            self.table = nn.Parameter(0.5 / STEEP * torch.randn(num_heads, num_relations))

    @property
    def gates(self) -> Float[Tensor, "H R"]:
        return self.allowed.float() if self.table is None else (STEEP * self.table).sigmoid()

    def forward(self, links: Links) -> tuple[Edges, EdgeBias]:
        """The mask and the bias."""
        edges = links.edges(self.allowed if self.binding == "masked" else None)
        inside = self.gates.to(links.shares) @ links.shares.T  # [H, E]
        outside = inside.new_ones(len(inside), links.num_agents + 1)
        outside = outside.index_add(1, links.buyer, -inside)
        return edges, EdgeBias(torch.cat([inside, outside], 1).clamp_min(LEAST).log()[None], edges)

    @property
    def preference(self) -> Float[Tensor, "H R"]:
        """Of each head for each relation; rows add up to 1."""
        gates = self.gates
        return gates / gates.sum(1, keepdim=True).clamp_min(LEAST)

    @property
    def impurity(self) -> Float[Tensor, ""]:
        """Entropy of the preferences in units of log R, mean over heads: 0 where each head has one relation."""
        p = self.preference.clamp_min(LEAST)
        most = torch.log(torch.tensor(float(max(2, p.shape[1])), device=p.device))
        return -(p * p.log()).sum(1).mean() / most


def mass_by_relation(
    attention: Float[Tensor, "H E"], shares: Float[Tensor, "E R"], gates: Float[Tensor, "H R"]
) -> Float[Tensor, "H R"]:
    """Attention of each head along the links of each relation; where a pair has several, by what the gates let in."""
    through = gates[:, None, :] * shares  # [H, E, R]
    through = through / through.sum(-1, keepdim=True).clamp_min(1e-12)
    return (attention[..., None] * through).sum(1)


def purity(mass: Float[Tensor, "H R"]) -> Float[Tensor, " H"]:
    """Share of each head's attention between agents that goes along its strongest relation."""
    return mass.max(1).values / mass.sum(1).clamp_min(1e-12)
