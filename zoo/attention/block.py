"""The parts of a transformer: self-attention, attention pooling, the MLP, and the block that joins them.

Axes: B batch, H heads, n tokens, d head width, D model width.
"""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float
from timm.layers import DropPath
from torch import Tensor, nn

from zoo.attention.attend import Attend
from zoo.attention.masks import Mask
from zoo.attention.positions import Positions


def head_width(dim: int, num_heads: int) -> int:
    if dim % num_heads:
        raise ValueError(f"num_heads: must divide the width, got {num_heads} heads for dim={dim}")
    return dim // num_heads


class SelfAttention(nn.Module):
    """Multi-head self-attention (Vaswani et al. 2017, section 3.2.2), q, k and v from one projection."""

    def __init__(self, dim: int, num_heads: int):
        super().__init__()
        self.num_heads, self.head_dim = num_heads, head_width(dim, num_heads)
        self.qkv = nn.Linear(dim, 3 * dim)
        self.attend = Attend()
        self.out = nn.Linear(dim, dim)

    def forward(
        self,
        tokens: Float[Tensor, "B n D"],
        mask: Mask | None = None,
        positions: Positions | None = None,
        prefix: int = 0,
    ) -> Float[Tensor, "B n D"]:
        b, n, _ = tokens.shape
        qkv = self.qkv(tokens).view(b, n, 3, self.num_heads, self.head_dim)
        q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)  # each [B, H, n, d]
        if positions is not None:
            q, k = positions.rotate(q, prefix), positions.rotate(k, prefix)
        return self.out(self.attend(q, k, v, mask).transpose(1, 2).flatten(2))


class AttentionPool(nn.Module):
    """One learned query per head reads the whole sequence: [B, n, D] -> [B, D] (Lee et al. 2019, PMA with k = 1).

    Keys and values come from the normalised tokens; the query is a parameter, so what a head looks for is the same
    in every sequence.
    """

    def __init__(self, dim: int, num_heads: int):
        super().__init__()
        self.num_heads, self.head_dim = num_heads, head_width(dim, num_heads)
        self.query = nn.Parameter(torch.empty(1, num_heads, 1, self.head_dim))
        nn.init.trunc_normal_(self.query, std=0.02)
        self.kv = nn.Linear(dim, 2 * dim)
        self.attend = Attend()
        self.out = nn.Linear(dim, dim)

    def forward(self, tokens: Float[Tensor, "B n D"], mask: Mask | None = None) -> Float[Tensor, "B D"]:
        b, n, _ = tokens.shape
        k, v = self.kv(tokens).view(b, n, 2, self.num_heads, self.head_dim).permute(2, 0, 3, 1, 4).unbind(0)
        pooled = self.attend(self.query.to(k.dtype).expand(b, -1, -1, -1), k, v, mask)
        return self.out(pooled.flatten(1))


class Mlp(nn.Sequential):
    """Linear, GELU, linear; the hidden layer is `ratio` times as wide."""

    def __init__(self, dim: int, ratio: float = 4.0):
        hidden = int(dim * ratio)
        super().__init__(nn.Linear(dim, hidden), nn.GELU(), nn.Linear(hidden, dim))


class Block(nn.Module):
    """Attention and MLP, each on a residual path.

    norm="pre":  x + f(LN(x))   (gradients stay flat with depth)
    norm="post": LN(x + f(x))   (the original; Xiong et al. 2020 compare the two)
    Dropout acts on the residual branches and not inside the attention, which therefore keeps its fast kernel.
    """

    def __init__(
        self,
        attention: SelfAttention,
        mlp: Mlp,
        dim: int,
        norm: Literal["pre", "post"] = "pre",
        dropout: float = 0.0,
        drop_path: float = 0.0,
    ):
        super().__init__()
        if norm not in ("pre", "post"):
            raise ValueError(f"norm: expected 'pre' or 'post', got {norm!r}")
        self.attention, self.mlp, self.pre = attention, mlp, norm == "pre"
        self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.residual = nn.Sequential(nn.Dropout(dropout), DropPath(drop_path))

    def forward(
        self,
        x: Float[Tensor, "B n D"],
        mask: Mask | None = None,
        positions: Positions | None = None,
        prefix: int = 0,
    ) -> Float[Tensor, "B n D"]:
        if self.pre:
            x = x + self.residual(self.attention(self.norm1(x), mask, positions, prefix))
            return x + self.residual(self.mlp(self.norm2(x)))
        x = self.norm1(x + self.residual(self.attention(x, mask, positions, prefix)))
        return self.norm2(x + self.residual(self.mlp(x)))
