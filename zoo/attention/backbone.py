"""The backbone that every domain shares: tokens in, tokens out, through blocks of self-attention."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint as recomputed

from zoo.attention.attend import Attend
from zoo.attention.bias import Bias
from zoo.attention.block import Block, GatedMlp, Mlp, SelfAttention
from zoo.attention.masks import Mask
from zoo.attention.positions import Positions


@dataclass(frozen=True)
class Encoded:
    """tokens: all of them, prefix first, [B, prefix + n, D]. mask: who exists. prefix: how many stand in front."""

    tokens: Float[Tensor, "B m D"]
    mask: Mask | None
    prefix: int

    @property
    def front(self) -> Float[Tensor, "B prefix D"]:
        """The class and register tokens."""
        return self.tokens[:, : self.prefix]

    @property
    def body(self) -> Float[Tensor, "B n D"]:
        """The tokens of the input itself."""
        return self.tokens[:, self.prefix :]


class Backbone(nn.Module):
    """A stack of blocks.

    positions: how the tokens know where they stand. num_prefix: learned class / register tokens put in front
    (Dosovitskiy et al. 2021; Darcet et al. 2024); they have no position, and everyone sees them. checkpoint: in
    training, keep the tokens between blocks alone and compute each block again on the way back (Chen et al. 2016).
    """

    def __init__(
        self,
        blocks: Sequence[Block],
        dim: int,
        positions: Positions | None = None,
        num_prefix: int = 0,
        checkpoint: bool = False,
    ):
        super().__init__()
        self.dim, self.num_prefix, self.checkpoint = dim, num_prefix, checkpoint
        self.positions = Positions() if positions is None else positions
        self.blocks = nn.ModuleList(blocks)
        last = self.blocks[-1]
        self.norm = nn.LayerNorm(dim, last.norm2.eps) if last.pre else nn.Identity()  # post-LN blocks end normalised
        self.prefix = nn.Parameter(torch.empty(1, num_prefix, dim)) if num_prefix else None
        if self.prefix is not None:
            nn.init.trunc_normal_(self.prefix, std=0.02)

    def forward(
        self,
        tokens: Float[Tensor, "B n D"],
        mask: Mask | None = None,
        places: Float[Tensor, "#B n axes"] | None = None,
        bias: Bias | None = None,
    ) -> Encoded:
        """places: where the tokens stand, if not one after the other. bias: on every block's logits (of edges, say);
        only where the positions have none of their own, and prefix tokens counted in."""
        x = self.positions(tokens)
        if self.prefix is not None:
            x = torch.cat([self.prefix.to(x.dtype).expand(x.shape[0], -1, -1), x], dim=1)
            mask = None if mask is None else mask.with_prefix(self.num_prefix)
        rotation = self.positions.rotation(x, self.blocks[0].attention.head_dim, self.num_prefix, places)
        own = self.positions.bias(self.num_prefix)
        if own is not None and bias is not None:
            raise ValueError(f"{type(self.positions).__name__} positions are a bias already: give no other")
        bias = own if bias is None else bias
        recompute = self.checkpoint and self.training and torch.is_grad_enabled() and not self._observed()
        for block in self.blocks:
            if recompute:
                x = recomputed(block, x, mask, rotation, bias, use_reentrant=False)
            else:
                x = block(x, mask, rotation, bias)
        return Encoded(self.norm(x), mask, self.num_prefix)

    def _observed(self) -> bool:
        """Observers would see a block that is computed twice two times."""
        return any(isinstance(module, Attend) and module.watcher is not None for module in self.modules())


def equal_blocks(
    depth: int,
    dim: int,
    attention: Callable[[], SelfAttention],
    mlp: Callable[[], nn.Module],
    norm: Literal["pre", "post"] = "pre",
    dropout: float = 0.0,
    drop_path: float = 0.0,
    eps: float = 1e-5,
) -> list[Block]:
    """Stochastic depth rises linearly to `drop_path`."""
    rates = [drop_path * i / max(1, depth - 1) for i in range(depth)]
    return [Block(attention(), mlp(), dim, norm, dropout, rate, eps) for rate in rates]


class UniformBackbone(Backbone):
    """`depth` equal blocks: what `conf/backbone/*.yaml` builds.

    eps: of the norms; published weights want the one that they were trained with.
    """

    mlp: type[Mlp | GatedMlp] = Mlp

    def __init__(
        self,
        dim: int,
        depth: int,
        num_heads: int,
        mlp_ratio: float = 4.0,
        norm: Literal["pre", "post"] = "pre",
        dropout: float = 0.0,
        drop_path: float = 0.0,
        positions: Positions | None = None,
        num_prefix: int = 0,
        checkpoint: bool = False,
        eps: float = 1e-5,
    ):
        blocks = equal_blocks(
            depth,
            dim,
            lambda: SelfAttention(dim, num_heads),
            lambda: self.mlp(dim, mlp_ratio),
            norm,
            dropout,
            drop_path,
            eps,
        )
        super().__init__(blocks, dim, positions, num_prefix, checkpoint)

    @classmethod
    def problems(cls, dim: int, num_heads: int, **arguments: object) -> list[str]:
        return [] if dim % num_heads == 0 else [f"num_heads={num_heads} does not divide dim={dim}"]


class GatedBackbone(UniformBackbone):
    """The same with gated MLPs (Nucleotide Transformer v2)."""

    mlp = GatedMlp
