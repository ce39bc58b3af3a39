"""Attention in blocks of query rows, forward and backward: where the fused kernel cannot serve.

It serves neither when somebody wants to see the probabilities, nor under a bias that needs gradients (PyTorch's then
saves n x n), nor under a mask whose only form is q x n booleans. Memory O(block x n); the backward pass computes each
block again. Blocks are sized to stay in a core's cache, where each further look at them is cheap.

Axes: B batch, H heads, q queries, n keys, d key width, e value width.
"""

from __future__ import annotations

from typing import Protocol

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from zoo.attention.bias import Bias
from zoo.attention.masks import Mask

BLOCK_ELEMENTS = 1 << 18  # probabilities alive at once, over the batch and the heads: 1 MiB in float32


class Watcher(Protocol):
    """Sees one attention as it runs."""

    @property
    def wants_rows(self) -> bool: ...

    @property
    def wants_gradients(self) -> bool: ...

    def begins(self, q: Tensor, k: Tensor, v: Tensor, mask: Mask | None, bias: Bias | None) -> None: ...

    def rows(self, start: int, probabilities: Float[Tensor, "B H rows n"], mask: Mask | None, queries: int) -> None: ...

    def gradients(
        self,
        start: int,
        probabilities: Float[Tensor, "B H rows n"],
        gradient: Float[Tensor, "B H rows n"],
        mask: Mask | None,
        queries: int,
    ) -> None: ...


def attend_blockwise(
    q: Float[Tensor, "B H q d"],
    k: Float[Tensor, "B H n d"],
    v: Float[Tensor, "B H n e"],
    mask: Mask | None = None,
    bias: Bias | None = None,
    watcher: Watcher | None = None,
) -> Float[Tensor, "B H q e"]:
    return _Blockwise.apply(q, k, v, mask, bias, watcher, *(() if bias is None else bias.tensors))


def block_rows(batch: int, heads: int, keys: int, width: int = 0) -> int:
    """How many query rows are held at once: as many as fit the cache, but at least half the heads' width.

    Each block reads all keys and values again; with fewer rows that would cost more than their products.
    """
    return max(1, width // 2, BLOCK_ELEMENTS // max(1, batch * heads * keys))


def probabilities(
    q: Float[Tensor, "B H q d"],
    k: Float[Tensor, "B H n d"],
    mask: Mask | None,
    start: int,
    stop: int,
    bias: Bias | None = None,
) -> Float[Tensor, "B H rows n"]:
    """softmax(q k^T / sqrt(d) + bias)[start:stop], in float32 at least; rows that may see nobody are zero."""
    kept = torch.promote_types(q.dtype, torch.float32)  # logits rounded to bfloat16 would be no logits
    logits = (q[:, :, start:stop].to(kept) * q.shape[-1] ** -0.5) @ k.to(kept).mT
    if bias is not None:
        logits += bias.rows(start, stop, k.shape[2], *bias.tensors)
    if mask is None:
        return logits.softmax(-1)
    may_see = mask.rows(start, stop, k.shape[2], q.device)
    if logits.requires_grad:  # a row of -inf has a softmax of NaN, whose gradient no mask stops
        return logits.masked_fill(~may_see, torch.finfo(kept).min).softmax(-1).masked_fill(~may_see, 0.0)
    return logits.masked_fill_(~may_see, float("-inf")).softmax(-1).masked_fill_(~may_see, 0.0)


class _Blockwise(torch.autograd.Function):
    @staticmethod
    def forward(ctx, q, k, v, mask, bias, watcher, *tensors):
        step = block_rows(q.shape[0], q.shape[1], k.shape[2], q.shape[3])
        out = q.new_empty(*q.shape[:-1], v.shape[-1])
        for start in range(0, q.shape[2], step):
            stop = min(start + step, q.shape[2])
            a = probabilities(q, k, mask, start, stop, bias)
            if watcher is not None:
                watcher.rows(start, a, mask, q.shape[2])
            out[:, :, start:stop] = a.to(v.dtype) @ v
        ctx.save_for_backward(q, k, v, out, *tensors)
        ctx.mask, ctx.bias, ctx.watcher, ctx.step = mask, bias, watcher, step
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx, d_out):
        q, k, v, out, *tensors = ctx.saved_tensors
        scale = q.shape[-1] ** -0.5
        kept = torch.promote_types(q.dtype, torch.float32)  # sums over blocks lose too much in bfloat16
        dq = torch.empty_like(q)
        dk, dv = (torch.zeros(x.shape, dtype=kept, device=x.device) for x in (k, v))
        wanted = [t for t, needed in zip(tensors, ctx.needs_input_grad[6:], strict=True) if needed]
        d_tensors = [torch.zeros_like(t, dtype=torch.promote_types(t.dtype, kept)) for t in wanted]
        for start in range(0, q.shape[2], ctx.step):
            stop = min(start + ctx.step, q.shape[2])
            a = probabilities(q, k, ctx.mask, start, stop, ctx.bias)
            d_o = d_out[:, :, start:stop]
            d_a = (d_o @ v.mT).to(a.dtype)
            if ctx.watcher is not None and ctx.watcher.wants_gradients:
                ctx.watcher.gradients(start, a, d_a, ctx.mask, q.shape[2])
            # softmax: dS = A (dA - sum_j A dA), and sum_j A dA = dO . O
            d_s = a * (d_a - (d_o * out[:, :, start:stop]).sum(-1, keepdim=True))
            if wanted:
                for total, part in zip(d_tensors, _bias_gradient(ctx.bias, tensors, wanted, d_s, start), strict=True):
                    total += part
            dq[:, :, start:stop] = d_s.to(q.dtype) @ k * scale
            _add_product(dk, d_s.to(kept).mT, q[:, :, start:stop].to(kept), scale)
            _add_product(dv, a.to(kept).mT, d_o.to(kept), 1.0)
        given = iter(total.to(t.dtype) for total, t in zip(d_tensors, wanted, strict=True))
        for_tensors = [next(given) if needed else None for needed in ctx.needs_input_grad[6:]]
        return dq, dk.to(k.dtype), dv.to(v.dtype), None, None, None, *for_tensors


def _add_product(total: Tensor, a: Tensor, b: Tensor, scale: float) -> None:
    """total += scale a b, without a product of its own."""
    total.flatten(0, 1).baddbmm_(a.flatten(0, 1), b.flatten(0, 1), alpha=scale)


def _bias_gradient(bias: Bias, tensors: list[Tensor], wanted: list[Tensor], d_s: Tensor, start: int) -> tuple:
    with torch.enable_grad():
        copies = [t.detach().requires_grad_(any(t is w for w in wanted)) for t in tensors]
        rows = bias.rows(start, start + d_s.shape[2], d_s.shape[3], *copies)
    return torch.autograd.grad(rows, [c for c in copies if c.requires_grad], d_s.sum_to_size(rows.shape).to(rows.dtype))
