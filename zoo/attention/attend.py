"""Scaled dot-product attention, two ways to run it, the same numbers.

    A = softmax(q k^T / sqrt(d) + mask)        O = A v          (Vaswani et al. 2017, eq. 1)

The fused way is PyTorch's kernel and never materialises A. The observed way computes A in blocks of query rows,
shows each block to a watcher, which reduces it, and lets it go: memory O(block x n). Its backward pass computes
each block again and can show dL/dA beside it, so attention x gradient needs no n x n either.

Axes: B batch, H heads, q queries, n keys, d key width, e value width.
"""

from __future__ import annotations

from typing import Protocol

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from zoo.attention.masks import Mask

BLOCK_ELEMENTS = 1 << 22  # probabilities alive at once, over the batch and the heads: 16 MiB in float32


class Watcher(Protocol):
    """Sees the probabilities of one attention, block by block of query rows."""

    @property
    def wants_gradients(self) -> bool: ...

    def rows(self, start: int, probabilities: Float[Tensor, "B H rows n"], mask: Mask | None, queries: int) -> None: ...

    def gradients(
        self,
        start: int,
        probabilities: Float[Tensor, "B H rows n"],
        gradient: Float[Tensor, "B H rows n"],
        mask: Mask | None,
        queries: int,
    ) -> None: ...


class Attend(nn.Module):
    """The attention itself, without projections. Every attention of the zoo runs through one of these.

    `zoo.attention.observe` finds them in a model and sets `watcher` for a while. A row whose keys are all masked
    gives zeros, with finite gradients.
    """

    def __init__(self) -> None:
        super().__init__()
        self.watcher: Watcher | None = None

    def forward(
        self,
        q: Float[Tensor, "B H q d"],
        k: Float[Tensor, "B H n d"],
        v: Float[Tensor, "B H n e"],
        mask: Mask | None = None,
    ) -> Float[Tensor, "B H q e"]:
        if self.watcher is None:
            return F.scaled_dot_product_attention(q, k, v, attn_mask=None if mask is None else mask.fused())
        return _ObservedAttention.apply(q, k, v, mask, self.watcher)


def block_rows(batch: int, heads: int, keys: int) -> int:
    """How many query rows are held at once."""
    return max(1, BLOCK_ELEMENTS // max(1, batch * heads * keys))


def probabilities(
    q: Float[Tensor, "B H q d"], k: Float[Tensor, "B H n d"], mask: Mask | None, start: int, stop: int
) -> Float[Tensor, "B H rows n"]:
    """A[start:stop], in float32 at least; rows that may see nobody are zero."""
    logits = (q[:, :, start:stop] @ k.transpose(-2, -1)).mul_(q.shape[-1] ** -0.5)
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
    if mask is None:
        return logits.softmax(-1)
    may_see = mask.rows(start, stop)
    return logits.masked_fill_(~may_see, float("-inf")).softmax(-1).masked_fill(~may_see, 0.0)


class _ObservedAttention(torch.autograd.Function):
    @staticmethod
    def forward(ctx, q, k, v, mask, watcher):
        step = block_rows(q.shape[0], q.shape[1], k.shape[2])
        out = q.new_empty(*q.shape[:-1], v.shape[-1])
        for start in range(0, q.shape[2], step):
            stop = min(start + step, q.shape[2])
            a = probabilities(q, k, mask, start, stop)
            watcher.rows(start, a, mask, q.shape[2])
            out[:, :, start:stop] = a.to(v.dtype) @ v
        ctx.save_for_backward(q, k, v, out)
        ctx.mask, ctx.watcher, ctx.step = mask, watcher, step
        return out

    @staticmethod
    def backward(ctx, d_out):
        q, k, v, out = ctx.saved_tensors
        scale = q.shape[-1] ** -0.5
        dq, dk, dv = torch.empty_like(q), torch.zeros_like(k), torch.zeros_like(v)
        for start in range(0, q.shape[2], ctx.step):
            stop = min(start + ctx.step, q.shape[2])
            a = probabilities(q, k, ctx.mask, start, stop)
            d_o = d_out[:, :, start:stop]
            d_a = (d_o @ v.transpose(-2, -1)).to(a.dtype)
            if ctx.watcher.wants_gradients:
                ctx.watcher.gradients(start, a, d_a, ctx.mask, q.shape[2])
            # softmax: dS = A (dA - sum_j A dA), and sum_j A dA = dO . O
            d_s = (a * (d_a - (d_o * out[:, :, start:stop]).sum(-1, keepdim=True))).to(q.dtype)
            dq[:, :, start:stop] = d_s @ k * scale
            dk += d_s.transpose(-2, -1) @ q[:, :, start:stop] * scale
            dv += a.to(v.dtype).transpose(-2, -1) @ d_o
        return dq, dk, dv, None, None
