"""All tokens of an image -> one vector. The first `front` are class and register tokens.

Axes: N images, n tokens of the longest, D width.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from zoo.attention import AttentionPool, Mlp, Padding
from zoo.vision.resize import Grid

Vectors = Float[Tensor, "N D"]


class Read(NamedTuple):
    """tokens [N, longest, D]: of each image those in `front` of it, then its patches; present: which there are."""

    tokens: Float[Tensor, "N longest D"]
    present: Bool[Tensor, "N longest"]
    grids: list[Grid]
    front: int

    @property
    def patches(self) -> Bool[Tensor, "N longest"]:
        """Which tokens are patches."""
        there = self.present.clone()
        there[:, : self.front] = False
        return there


class Readout(nn.Module, ABC):
    """width: of the vector."""

    width: int

    @abstractmethod
    def forward(self, read: Read) -> Vectors: ...

    @abstractmethod
    def weights(self, read: Read) -> Float[Tensor, "N n"]:
        """The share that each token has in the vector: where a rollout starts."""


class FrontTokens(Readout):
    """The first `count` tokens side by side: the class token, or with 2 that of distillation too (DeiT)."""

    def __init__(self, dim: int, count: int = 1):
        super().__init__()
        self.count, self.width = count, count * dim

    def forward(self, read: Read) -> Vectors:
        if read.front < self.count:
            raise ValueError(f"front: the readout wants {self.count} class tokens, the embedding has {read.front}")
        return read.tokens[:, : self.count].flatten(1)

    def weights(self, read: Read) -> Float[Tensor, "N n"]:
        share = torch.zeros_like(read.tokens[..., 0])
        share[:, : self.count] = 1 / self.count
        return share


class MeanPatches(Readout):
    """The mean of the patches, normalised afterwards or not."""

    def __init__(self, dim: int, norm: bool = False, eps: float = 1e-6):
        super().__init__()
        self.width = dim
        self.norm = nn.LayerNorm(dim, eps) if norm else nn.Identity()

    def forward(self, read: Read) -> Vectors:
        return self.norm((read.tokens * self.weights(read)[..., None]).sum(1))

    def weights(self, read: Read) -> Float[Tensor, "N n"]:
        return read.patches.to(read.tokens.dtype) / read.patches.sum(1, keepdim=True)


class RegionMeans(Readout):
    """The means of side x side regions of the image, side by side (Lazebnik et al. 2006): the head sees where things
    are from the first step on, which a mean of all patches must first learn to tell it."""

    def __init__(self, dim: int, side: int = 4):
        super().__init__()
        self.side, self.width = side, dim * side**2

    @classmethod
    def problems(cls, side: int = 4, **arguments: object) -> list[str]:
        return [] if side >= 1 else [f"side={side} must be at least 1"]

    def forward(self, read: Read) -> Vectors:
        found = [
            self._shares(grid, tokens) @ tokens[read.front : read.front + grid.tokens]
            for tokens, grid in zip(read.tokens, read.grids, strict=True)
        ]
        return torch.stack(found).flatten(1)

    def weights(self, read: Read) -> Float[Tensor, "N n"]:
        """The regions weigh alike."""
        share = torch.zeros_like(read.tokens[..., 0])
        for own, tokens, grid in zip(share, read.tokens, read.grids, strict=True):
            own[read.front : read.front + grid.tokens] = self._shares(grid, tokens).mean(0)
        return share

    def _shares(self, grid: Grid, like: Tensor) -> Float[Tensor, "regions n"]:
        return torch.from_numpy(regions(grid, self.side)).to(like)


@lru_cache(maxsize=256)
def regions(grid: Grid, side: int) -> Float[np.ndarray, "regions n"]:
    """The share of each patch in the mean of each region; of a grid smaller than that, regions share patches."""
    return np.kron(_stretches(grid.height, side), _stretches(grid.width, side)).astype(np.float32)


def _stretches(length: int, count: int) -> Float[np.ndarray, "count length"]:
    """The same in a line: of `length` places, those that the i-th of `count` equal stretches touches."""
    at, first = np.arange(length), np.arange(count)[:, None] * length
    inside = (at >= first // count) & (at < -(-(first + length) // count))
    return inside / inside.sum(1, keepdims=True)


class PooledToken(Readout):
    """A learned query reads the patches; an MLP follows, on a residual path (SigLIP, Zhai et al. 2023; MAP head)."""

    def __init__(self, dim: int, num_heads: int, mlp_ratio: float = 4.0, eps: float = 1e-6):
        super().__init__()
        self.width = dim
        self.pool, self.norm, self.mlp = AttentionPool(dim, num_heads), nn.LayerNorm(dim, eps), Mlp(dim, mlp_ratio)

    def forward(self, read: Read) -> Vectors:
        there = read.present[:, read.front :]
        pooled = self.pool(read.tokens[:, read.front :], Padding(there))
        return pooled + self.mlp(self.norm(pooled))

    def weights(self, read: Read) -> Float[Tensor, "N n"]:
        """The query's attention, the mean over the heads."""
        k = self.pool.kv(read.tokens).chunk(2, dim=-1)[0].unflatten(-1, (self.pool.num_heads, -1)).transpose(1, 2)
        logits = (self.pool.query @ k.mT)[:, :, 0] / self.pool.head_dim**0.5
        return logits.masked_fill(~read.patches[:, None], float("-inf")).softmax(-1).mean(1)
