"""Attention between groups of tokens: binding sites, words, objects. n x n is reduced to groups x groups as it streams.

Axes: B batch, H heads, n tokens, g groups.
"""

from __future__ import annotations

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from zoo.attention.observers import _PerLayer


class _Grouped(_PerLayer):
    """groups: which tokens are whose, as shares; the tokens of a `prefix` are nobody's. Layers whose queries are not
    those n tokens are left out."""

    def __init__(self, groups: Float[Tensor, "B n g"], prefix: int = 0) -> None:
        super().__init__()
        self.groups = F.pad(groups, (0, 0, prefix, 0))

    def _sum(self, layer: str, start: int, rows: Float[Tensor, "B H rows n"], queries: int) -> None:
        if not queries == rows.shape[3] == self.groups.shape[1]:
            return
        groups = self.groups.to(rows)[:, None]
        self._add(layer, start, groups[:, :, start : start + rows.shape[2]].mT @ (rows @ groups))


class Between(_Grouped):
    """Attention from each group to each other: sum_{i in a} sum_{j in b} A_ij. [B, H, g, g]"""

    def rows(self, layer: str, start: int, probabilities: Tensor, queries: int) -> None:
        self._sum(layer, start, probabilities, queries)


class BetweenGradient(_Grouped):
    """Attention x gradient from each group to each other: sum_{i in a} sum_{j in b} A_ij dL/dA_ij. [B, H, g, g]

    The backward pass of L fills it, as it does `ReceivedGradient`.
    """

    def gradients(self, layer: str, start: int, probabilities: Tensor, gradient: Tensor, queries: int) -> None:
        self._sum(layer, start, probabilities * gradient, queries)
