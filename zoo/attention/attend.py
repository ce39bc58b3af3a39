"""Scaled dot-product attention, two ways to run it, the same numbers.

    A = softmax(q k^T / sqrt(d) + bias)        O = A v          (Vaswani et al. 2017, eq. 1)

The fused way is PyTorch's kernel and never materialises A. The observed way computes A in blocks of query rows,
shows each block to a watcher, which reduces it, and lets it go: memory O(block x n). Its backward pass computes
each block again and can show dL/dA beside it, so attention x gradient needs no n x n either.

Axes: B batch, H heads, q queries, n keys, d key width, e value width.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from zoo.attention.bias import Bias
from zoo.attention.blockwise import Watcher, attend_blockwise
from zoo.attention.edges import Edges
from zoo.attention.masks import Mask

DENSE_ELEMENTS = 1 << 22  # a mask or a bias of more numbers is not written out but made block by block


class Attend(nn.Module):
    """The attention itself, without projections. Every attention of the zoo runs through one of these.

    `zoo.attention.observe` finds them in a model and sets `watcher` for a while. A row whose keys are all masked
    gives zeros, with finite gradients. `gate`: what each head's output is multiplied by (see `zoo.attention.gates`).
    """

    def __init__(self) -> None:
        super().__init__()
        self.watcher: Watcher | None = None
        self.gate: Float[Tensor, " H"] | None = None

    def __getstate__(self) -> dict:
        """A copy is neither observed nor gated."""
        return self.__dict__ | {"watcher": None, "gate": None}

    def forward(
        self,
        q: Float[Tensor, "B H q d"],
        k: Float[Tensor, "B H n d"],
        v: Float[Tensor, "B H n e"],
        mask: Mask | None = None,
        bias: Bias | None = None,
    ) -> Float[Tensor, "B H q e"]:
        seen = self.watcher is not None
        out = _observed(q, k, v, mask, bias, self.watcher) if seen else _plain(q, k, v, mask, bias)
        return out if self.gate is None else out * self.gate[:, None, None].to(out)


def _plain(q: Tensor, k: Tensor, v: Tensor, mask: Mask | None, bias: Bias | None) -> Tensor:
    if isinstance(mask, Edges):
        return mask.attend(q, k, v, bias)
    width = v.shape[-1]
    if width != k.shape[-1]:  # the fused kernel wants one width; it would save n x n otherwise
        return _of_one_width(q, k, v, mask, bias)[..., :width]
    if bias is None:
        if mask is None:
            return F.scaled_dot_product_attention(q, k, v)
        if (out := mask.attend(q, k, v)) is not None:
            return out
    if (bias is not None and bias.needs_gradient) or q.shape[0] * q.shape[2] * k.shape[2] > DENSE_ELEMENTS:
        return attend_blockwise(q, k, v, mask, bias)
    return F.scaled_dot_product_attention(q, k, v, attn_mask=_written_out(q, k, mask, bias))


def _of_one_width(q: Tensor, k: Tensor, v: Tensor, mask: Mask | None, bias: Bias | None) -> Tensor:
    """Zeros beside the narrower change no product; the kernel's scale is that of the wider, so q makes up for it."""
    wide = max(k.shape[-1], v.shape[-1])
    q = q * (wide / q.shape[-1]) ** 0.5
    q, k, v = (F.pad(x, (0, wide - x.shape[-1])) for x in (q, k, v))
    return _plain(q, k, v, mask, bias)


def _written_out(q: Tensor, k: Tensor, mask: Mask | None, bias: Bias | None) -> Tensor:
    """[#B, #H, q, n]: booleans, or numbers with -inf where a mask forbids."""
    queries, keys = q.shape[2], k.shape[2]
    allowed = None if mask is None else mask.rows(0, queries, keys, q.device)
    if bias is None:
        return allowed if allowed.ndim == 4 else allowed[None, None]
    value = bias.rows(0, queries, keys, *bias.tensors).to(q.dtype)
    return value if allowed is None else value.masked_fill(~allowed, float("-inf"))


@torch.compiler.disable  # a compiled model runs this part uncompiled while it is observed
def _observed(q: Tensor, k: Tensor, v: Tensor, mask: Mask | None, bias: Bias | None, watcher: Watcher) -> Tensor:
    watcher.begins(q, k, v, mask, bias)
    if not watcher.wants_rows:
        out = _plain(q, k, v, mask, bias)
    elif isinstance(mask, Edges):
        out = mask.attend(q, k, v, bias, watcher)
    else:
        out = attend_blockwise(q, k, v, mask, bias, watcher)
    return watcher.ends(out)
