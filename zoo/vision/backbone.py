"""Blocks as vision transformers have them, composed of the shared ones."""

from __future__ import annotations

import torch
from jaxtyping import Float
from timm.layers import LayerScale
from torch import Tensor, nn

from zoo.attention import Backbone, Mlp, Positions, SelfAttention
from zoo.attention.backbone import equal_blocks


class ScaledAttention(SelfAttention):
    """Self-attention whose output is multiplied by a learned number for each channel (LayerScale, Touvron et al. 2021),
    `initial` at first: a deep network starts near the identity."""

    def __init__(self, dim: int, num_heads: int, initial: float):
        super().__init__(dim, num_heads)
        self.scale = LayerScale(dim, initial)

    def forward(self, *arguments, **named) -> Float[Tensor, "B n D"]:
        return self.scale(super().forward(*arguments, **named))


class ScaledMlp(Mlp):
    """The same of the MLP."""

    def __init__(self, dim: int, ratio: float, initial: float):
        super().__init__(dim, ratio)
        self.append(LayerScale(dim, initial))


class QuickGELU(nn.Module):
    """x sigmoid(1.702 x): the approximation that CLIP was trained with."""

    def forward(self, x: Float[Tensor, ...]) -> Float[Tensor, ...]:
        return x * torch.sigmoid(1.702 * x)


class VisionBackbone(Backbone):
    """`depth` equal pre-norm blocks; norms have 1e-6, as in every published vision transformer.

    layer_scale: where LayerScale starts; None leaves it out. Stochastic depth rises linearly to `drop_path`.
    """

    def __init__(
        self,
        dim: int,
        depth: int,
        num_heads: int,
        mlp_ratio: float = 4.0,
        dropout: float = 0.0,
        drop_path: float = 0.0,
        layer_scale: float | None = None,
        positions: Positions | None = None,
        checkpoint: bool = False,
        eps: float = 1e-6,
    ):
        blocks = equal_blocks(
            depth,
            dim,
            lambda: _attention(dim, num_heads, layer_scale),
            lambda: _mlp(dim, mlp_ratio, layer_scale),
            dropout=dropout,
            drop_path=drop_path,
            eps=eps,
        )
        super().__init__(blocks, dim, positions, checkpoint=checkpoint)
        for block in self.blocks:
            for layer in (block.attention.qkv, block.attention.out, block.mlp[0], block.mlp[2]):
                nn.init.trunc_normal_(layer.weight, std=0.02)
                nn.init.zeros_(layer.bias)

    @classmethod
    def problems(cls, dim: int, num_heads: int, drop_path: float = 0.0, **arguments: object) -> list[str]:
        wrong = [] if dim % num_heads == 0 else [f"num_heads={num_heads} does not divide dim={dim}"]
        return wrong + ([] if 0 <= drop_path < 1 else [f"drop_path={drop_path} is a share, 0 to 1"])


def _attention(dim: int, num_heads: int, layer_scale: float | None) -> SelfAttention:
    return SelfAttention(dim, num_heads) if layer_scale is None else ScaledAttention(dim, num_heads, layer_scale)


def _mlp(dim: int, ratio: float, layer_scale: float | None) -> Mlp:
    return Mlp(dim, ratio) if layer_scale is None else ScaledMlp(dim, ratio, layer_scale)
