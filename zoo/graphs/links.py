"""The links of one or several graphs side by side, as the attention wants them.

Behind the agents stands one more token, *outside*: whatever a buyer does not buy from the agents it buys there. It
sees nobody but itself, so nothing passes through it; and it makes each buyer's shares add up to 1, so that attention
with logits log(share) is the shares themselves.

Axes: n agents of all graphs, E links, m = E + n + 1 edges (the links, then everyone's to the outside), R relations,
H heads.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from zoo.attention import Edges
from zoo.graphs.graph import SupplyGraph


class Links(NamedTuple):
    """graph: which graph each agent is of. kept: what is computed once for these links (edges and their layout)."""

    supplier: Int[Tensor, " E"]
    buyer: Int[Tensor, " E"]
    shares: Float[Tensor, "E R"]
    graph: Int[Tensor, " n"]
    kept: dict

    @property
    def num_agents(self) -> int:
        return len(self.graph)

    @classmethod
    def of(cls, graphs: Sequence[SupplyGraph]) -> Links:
        """Side by side, numbered on. All must have the same relations."""
        first = np.cumsum([0, *(len(g) for g in graphs)])
        supplier = np.concatenate([g.supplier + a for g, a in zip(graphs, first, strict=False)])
        buyer = np.concatenate([g.buyer + a for g, a in zip(graphs, first, strict=False)])
        shares = np.concatenate([g.shares for g in graphs])
        graph = np.repeat(np.arange(len(graphs)), [len(g) for g in graphs])
        return cls(*(torch.from_numpy(x) for x in (supplier, buyer, shares.astype(np.float32), graph)), {})

    def to(self, device: torch.device) -> Links:
        """Itself where it is there already, so that what was computed once is not lost."""
        if self.supplier.device == torch.device(device):
            return self
        return Links(*(x.to(device) for x in self[:4]), {})

    def edges(self, allowed: Bool[Tensor, "H R"] | None = None) -> Edges:
        """Buyer sees supplier, all see the outside. allowed: which head may use which relation; all, if not given."""
        key = None if allowed is None else tuple(map(tuple, allowed.tolist()))
        if key not in self.kept:
            n = self.num_agents
            everyone = torch.arange(n + 1, device=self.buyer.device)
            query = torch.cat([self.buyer, everyone])
            keys = torch.cat([self.supplier, torch.full_like(everyone, n)])
            heads = None
            if allowed is not None:
                used = (allowed[:, None, :] & (self.shares > 0)).any(-1)  # [H, E]
                heads = F.pad(used, (0, n + 1), value=True)
            self.kept[key] = Edges(query, keys, n + 1, heads)
        return self.kept[key]
