"""The parts of a transformer: self-attention, attention pooling, the MLP, and the block that joins them.

Axes: B batch, H heads, n tokens, d head width, D model width.
"""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from timm.layers import DropPath
from torch import Tensor, nn

from zoo.attention.attend import Attend
from zoo.attention.bias import Bias
from zoo.attention.masks import Mask, Padding
from zoo.attention.rotary import Rotation


def split_heads(x: Float[Tensor, "B n D"], num_heads: int) -> Float[Tensor, "B H n d"]:
    return x.unflatten(-1, (num_heads, -1)).transpose(1, 2)


def join_heads(x: Float[Tensor, "B H n d"]) -> Float[Tensor, "B n D"]:
    return x.transpose(1, 2).flatten(2)


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
        rotation: Rotation | None = None,
        bias: Bias | None = None,
    ) -> Float[Tensor, "B n D"]:
        q, k, v = (split_heads(x, self.num_heads) for x in self.qkv(tokens).chunk(3, dim=-1))
        if rotation is not None:
            q, k = rotation.turn(q), rotation.turn(k)
        return self.out(join_heads(self.attend(q, k, v, mask, bias)))


class CrossAttention(nn.Module):
    """Queries from one source, keys and values from others; each source may have its own width.

    With no `values` given they are the keys' tokens. Positions can so attend while residues are carried.
    """

    def __init__(self, dim: int, num_heads: int, key_dim: int | None = None, value_dim: int | None = None):
        super().__init__()
        self.num_heads, self.head_dim = num_heads, head_width(dim, num_heads)
        key_dim = dim if key_dim is None else key_dim
        self.q, self.k = nn.Linear(dim, dim), nn.Linear(key_dim, dim)
        self.v = nn.Linear(key_dim if value_dim is None else value_dim, dim)
        self.attend = Attend()
        self.out = nn.Linear(dim, dim)

    def forward(
        self,
        queries: Float[Tensor, "B q D"],
        keys: Float[Tensor, "B n K"],
        values: Float[Tensor, "B n V"] | None = None,
        mask: Mask | None = None,
        bias: Bias | None = None,
    ) -> Float[Tensor, "B q D"]:
        projected = (self.q(queries), self.k(keys), self.v(keys if values is None else values))
        q, k, v = (split_heads(x, self.num_heads) for x in projected)
        return self.out(join_heads(self.attend(q, k, v, mask, bias)))


class AxialAttention(nn.Module):
    """Attention over a map of pairs: along its rows, then along its columns (Ho et al. 2019). O(R C (R + C))."""

    def __init__(self, dim: int, num_heads: int):
        super().__init__()
        self.rows, self.columns = SelfAttention(dim, num_heads), SelfAttention(dim, num_heads)

    def forward(
        self, pairs: Float[Tensor, "B R C D"], present: Bool[Tensor, "B R C"] | None = None
    ) -> Float[Tensor, "B R C D"]:
        for attention in (self.rows, self.columns):
            mask = None if present is None else Padding(present.flatten(0, 1))
            along = attention(pairs.flatten(0, 1), mask).unflatten(0, pairs.shape[:2])
            pairs = (pairs + along).transpose(1, 2)  # the second turn is back again
            present = None if present is None else present.transpose(1, 2)
        return pairs


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
        k, v = (split_heads(x, self.num_heads) for x in self.kv(tokens).chunk(2, dim=-1))
        if mask is not None:  # who exists is all that a pooling query asks; it stands nowhere among the tokens
            mask = None if mask.present is None else Padding(mask.present)
        pooled = self.attend(self.query.to(k.dtype).expand(len(tokens), -1, -1, -1), k, v, mask)
        return self.out(pooled.flatten(1))


class Mlp(nn.Sequential):
    """Linear, GELU, linear; the hidden layer is `ratio` times as wide."""

    def __init__(self, dim: int, ratio: float = 4.0):
        hidden = int(dim * ratio)
        super().__init__(nn.Linear(dim, hidden), nn.GELU(), nn.Linear(hidden, dim))


class GatedMlp(nn.Module):
    """(SiLU(x W) * x V) U, without biases: SwiGLU (Shazeer 2020, eq. 6). W and V are one projection, W first."""

    def __init__(self, dim: int, ratio: float = 4.0):
        super().__init__()
        hidden = int(dim * ratio)
        self.up, self.down = nn.Linear(dim, 2 * hidden, bias=False), nn.Linear(hidden, dim, bias=False)

    def forward(self, x: Float[Tensor, "B n D"]) -> Float[Tensor, "B n D"]:
        gate, value = self.up(x).chunk(2, dim=-1)
        return self.down(F.silu(gate) * value)


class Block(nn.Module):
    """Attention and MLP, each on a residual path.

    norm="pre":  x + f(LN(x))   (gradients stay flat with depth)
    norm="post": LN(x + f(x))   (the original; Xiong et al. 2020 compare the two)
    eps: of the norms; vision transformers have 1e-6.
    Dropout acts on the residual branches and not inside the attention, which therefore keeps its fast kernel.
    """

    def __init__(
        self,
        attention: SelfAttention,
        mlp: Mlp | GatedMlp,
        dim: int,
        norm: Literal["pre", "post"] = "pre",
        dropout: float = 0.0,
        drop_path: float = 0.0,
        eps: float = 1e-5,
    ):
        super().__init__()
        if norm not in ("pre", "post"):
            raise ValueError(f"norm: expected 'pre' or 'post', got {norm!r}")
        self.attention, self.mlp, self.pre = attention, mlp, norm == "pre"
        self.norm1, self.norm2 = nn.LayerNorm(dim, eps), nn.LayerNorm(dim, eps)
        self.residual = nn.Sequential(nn.Dropout(dropout), DropPath(drop_path))

    def forward(
        self,
        x: Float[Tensor, "B n D"],
        mask: Mask | None = None,
        rotation: Rotation | None = None,
        bias: Bias | None = None,
    ) -> Float[Tensor, "B n D"]:
        if self.pre:
            x = x + self.residual(self.attention(self.norm1(x), mask, rotation, bias))
            return x + self.residual(self.mlp(self.norm2(x)))
        x = self.norm1(x + self.residual(self.attention(x, mask, rotation, bias)))
        return self.norm2(x + self.residual(self.mlp(x)))
