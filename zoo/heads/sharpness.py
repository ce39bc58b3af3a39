"""A loss that asks heads to look at few tokens: the mean entropy of their attention.

Axes: B batch, H heads, q queries, n keys.
"""

from __future__ import annotations

from collections.abc import Iterable

import pytorch_lightning as pl
import torch
from jaxtyping import Float
from torch import Tensor, nn

from zoo.attention import Edges, Mask
from zoo.attention.blockwise import probabilities
from zoo.heads.penalty import HeadPenalty

ROWS = 32  # queries of a layer that are looked at in a step


def relative_entropy_of_rows(
    a: Float[Tensor, "B H rows n"], present: Float[Tensor, "B rows"], keys: Float[Tensor, " B"]
) -> Float[Tensor, ""]:
    """Mean of -sum_j A_ij log A_ij / log(keys) over the rows of present queries: 1 if all keys get the same, 0 if one
    gets all."""
    entropy = -(a * a.clamp_min(torch.finfo(a.dtype).tiny).log()).sum(-1) / keys.clamp_min(2).log()[:, None, None]
    shares = present[:, None].expand_as(entropy)
    return (entropy * shares).sum() / shares.sum().clamp_min(1)


class SharpHeads(HeadPenalty):
    """Adds `weight` times the entropy of attention, relative to the largest possible, to the training loss, and logs it
    as train/entropy.

    It is measured on `ROWS` neighbouring queries of each layer, drawn anew at each step, so that no n x n is held; the
    first and last queries of a longer sequence are drawn less often than those between. Attention along the edges of a
    graph is left alone.
    """

    name = "entropy"

    def watch(self, attend: nn.Module, given: tuple, out: Tensor) -> Tensor | None:
        q, k, _, mask, bias = (*given, None, None)[:5]
        if isinstance(mask, Edges) or k.shape[2] < 2:
            return None
        queries = q.shape[2]
        start = int(torch.randint(max(1, queries - ROWS + 1), ()))
        stop = min(queries, start + ROWS)
        a = probabilities(q, k, mask, start, stop, bias)
        keys = _present(mask, a, k.shape[2]).sum(1)
        return relative_entropy_of_rows(a, _present(mask, a, queries)[:, start:stop], keys)

    def terms(self, module: pl.LightningModule) -> Iterable[Tensor]:
        return self._seen.values()


def _present(mask: Mask | None, a: Tensor, tokens: int) -> Float[Tensor, "B tokens"]:
    """1 for a token, 0 for padding; a pooling query is nobody's token."""
    if mask is None or mask.present is None or mask.present.shape[1] != tokens:
        return a.new_ones(len(a), tokens)
    return mask.present.to(a)
