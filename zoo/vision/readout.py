"""All tokens of an image -> one vector. The first `front` are class and register tokens.

Axes: N images, n tokens of the longest, D width.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from zoo.attention import AttentionPool, Mlp, Padding

Vectors = Float[Tensor, "N D"]


class Readout(nn.Module, ABC):
    """width: of the vector."""

    width: int

    @abstractmethod
    def forward(self, tokens: Float[Tensor, "N n D"], present: Bool[Tensor, "N n"], front: int) -> Vectors: ...

    @abstractmethod
    def weights(self, tokens: Float[Tensor, "N n D"], present: Bool[Tensor, "N n"], front: int) -> Float[Tensor, "N n"]:
        """The share that each token has in the vector: where a rollout starts."""


class FrontTokens(Readout):
    """The first `count` tokens side by side: the class token, or with 2 that of distillation too (DeiT)."""

    def __init__(self, dim: int, count: int = 1):
        super().__init__()
        self.count, self.width = count, count * dim

    def forward(self, tokens: Float[Tensor, "N n D"], present: Bool[Tensor, "N n"], front: int) -> Vectors:
        if front < self.count:
            raise ValueError(f"front: the readout wants {self.count} class tokens, the embedding has {front}")
        return tokens[:, : self.count].flatten(1)

    def weights(self, tokens, present, front) -> Float[Tensor, "N n"]:
        share = torch.zeros_like(tokens[..., 0])
        share[:, : self.count] = 1 / self.count
        return share


class MeanPatches(Readout):
    """The mean of the patches, normalised afterwards or not."""

    def __init__(self, dim: int, norm: bool = False, eps: float = 1e-6):
        super().__init__()
        self.width = dim
        self.norm = nn.LayerNorm(dim, eps) if norm else nn.Identity()

    def forward(self, tokens: Float[Tensor, "N n D"], present: Bool[Tensor, "N n"], front: int) -> Vectors:
        return self.norm((tokens * self.weights(tokens, present, front)[..., None]).sum(1))

    def weights(self, tokens, present, front) -> Float[Tensor, "N n"]:
        there = present.clone()
        there[:, :front] = False
        return there.to(tokens.dtype) / there.sum(1, keepdim=True)


class PooledToken(Readout):
    """A learned query reads the patches; an MLP follows, on a residual path (SigLIP, Zhai et al. 2023; MAP head)."""

    def __init__(self, dim: int, num_heads: int, mlp_ratio: float = 4.0, eps: float = 1e-6):
        super().__init__()
        self.width = dim
        self.pool, self.norm, self.mlp = AttentionPool(dim, num_heads), nn.LayerNorm(dim, eps), Mlp(dim, mlp_ratio)

    def forward(self, tokens: Float[Tensor, "N n D"], present: Bool[Tensor, "N n"], front: int) -> Vectors:
        there = present[:, front:]
        pooled = self.pool(tokens[:, front:], Padding(there))
        return pooled + self.mlp(self.norm(pooled))

    def weights(self, tokens, present, front) -> Float[Tensor, "N n"]:
        """The query's attention, the mean over the heads."""
        k = self.pool.kv(tokens).chunk(2, dim=-1)[0].unflatten(-1, (self.pool.num_heads, -1)).transpose(1, 2)
        logits = (self.pool.query @ k.mT)[:, :, 0] / self.pool.head_dim**0.5
        there = present.clone()
        there[:, :front] = False
        return logits.masked_fill(~there[:, None], float("-inf")).softmax(-1).mean(1)
