"""Attention rollout (Abnar & Zuidema 2020): how much of a target's attention goes back to each input token.

With A_l the mean over heads and R = prod_l (A_l + I)/2, one row of R is asked for. From the last layer to the first
that row is a vector, so A_l is computed again in blocks of rows, from the q and k that were kept: O(layers x n x d),
and never n x n.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from zoo.attention.bias import Bias
from zoo.attention.blockwise import block_rows, probabilities
from zoo.attention.masks import Mask
from zoo.attention.observe import Observer


class Rollout(Observer):
    """Keeps q and k of the last pass over each self-attention; `of` rolls them out.

    residual: the share that the identity has in each layer.
    """

    def __init__(self, residual: float = 0.5) -> None:
        self.residual = residual
        self._layers: dict[str, tuple[Tensor, Tensor, Mask | None, Bias | None]] = {}

    def begins(self, layer, q, k, v, mask, bias) -> None:
        if q.shape[2] == k.shape[2]:  # a pooling query is no token
            self._layers[layer] = (q, k, mask, bias)

    @torch.no_grad()
    def of(self, target: int | Int[Tensor, " B"] | Float[Tensor, "B n"]) -> Float[Tensor, "B n"]:
        """The rollout of token `target` (one for all, or one for each sequence); each row sums to 1. Where what is read
        is no one token, target gives the share of each: 1/n for a mean."""
        if not self._layers:
            raise ValueError("nothing to roll out: run the model inside `observe` first")
        q = next(iter(self._layers.values()))[0]
        target = torch.as_tensor(target, device=q.device)
        if target.is_floating_point():
            share = target
        else:
            share = torch.zeros(len(q), q.shape[2], device=q.device)
            share.scatter_(1, target.expand(len(q))[:, None], 1.0)
        for q, k, mask, bias in reversed(self._layers.values()):
            step, seen = block_rows(*q.shape[:2], k.shape[2]), torch.zeros_like(share)
            for start in range(0, q.shape[2], step):
                a = probabilities(q, k, mask, start, min(start + step, q.shape[2]), bias)
                seen += torch.einsum("bi,bhij->bj", share[:, start : start + step].to(a), a) / q.shape[1]
            share = self.residual * share + (1 - self.residual) * seen
        return share
