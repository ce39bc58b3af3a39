"""What reads a map of pairs and hands back another: attention along its rows and columns, or convolutions.

A contact map is symmetric, and so is every map here: what a row says of a pair and what its column says are averaged.

Axes: B families, L columns, C features, D model width.
"""

from __future__ import annotations

from abc import abstractmethod

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from zoo.attention import Backbone, Padding


class PairMap(nn.Module):
    """features -> a vector of `dim` numbers for each pair, symmetric; absent columns give zeros."""

    def __init__(self, features: int, dim: int):
        super().__init__()
        self.features, self.dim = features, dim

    @abstractmethod
    def forward(self, features: Float[Tensor, "B C L L"], present: Bool[Tensor, "B L"]) -> Float[Tensor, "B L L D"]: ...


def symmetric(pairs: Float[Tensor, "B L L D"]) -> Float[Tensor, "B L L D"]:
    return (pairs + pairs.transpose(1, 2)) / 2


class AxialMap(PairMap):
    """The shared backbone's blocks along the rows of the map, which are its columns too (axial attention, Ho et al.
    2019, with one set of weights for both), behind convolutions; before each block, one more look at the neighbourhood.

    encoder: its blocks and positions are used; each row is a sequence of L tokens. stem: reach of the convolutions, as
    in `DilatedMap`; none, and features enter as they are. reach: of the neighbourhood's 3 x 3 kernel, in columns, one
    for each block and so on from the start: helices show at 3 and 4, ladders at 1.
    """

    def __init__(
        self, encoder: Backbone, features: int, stem: tuple[int, ...] = (), reach: tuple[int, ...] = (1, 2, 4)
    ):
        super().__init__(features, encoder.dim)
        if encoder.num_prefix:
            raise ValueError(f"num_prefix={encoder.num_prefix}: a row of pairs has no place for prefix tokens; give 0")
        self.encoder = encoder
        self.enter = DilatedMap(features, encoder.dim, tuple(stem)) if stem else _AsTheyAre(features, encoder.dim)
        self.near = nn.ModuleList(
            _Neighbourhood(encoder.dim, reach[i % len(reach)]) for i in range(len(encoder.blocks))
        )

    def forward(self, features: Float[Tensor, "B C L L"], present: Bool[Tensor, "B L"]) -> Float[Tensor, "B L L D"]:
        there = present[:, :, None, None] & present[:, None, :, None]
        positions = self.encoder.positions
        rows = positions(self.enter(features, present).flatten(0, 1))
        pairs = symmetric(rows.unflatten(0, present.shape)) * there
        mask = Padding(present.repeat_interleave(present.shape[1], 0))
        rotation = positions.rotation(rows, self.encoder.blocks[0].attention.head_dim, 0, None)
        bias = positions.bias(0)
        for near, block in zip(self.near, self.encoder.blocks, strict=True):
            pairs = symmetric(near(pairs)) * there
            along = block(pairs.flatten(0, 1), mask, rotation, bias).unflatten(0, present.shape)
            pairs = symmetric(along) * there
        return self.encoder.norm(pairs) * there


class _AsTheyAre(PairMap):
    def __init__(self, features: int, dim: int):
        super().__init__(features, dim)
        self.linear = nn.Linear(features, dim)

    def forward(self, features: Float[Tensor, "B C L L"], present: Bool[Tensor, "B L"]) -> Float[Tensor, "B L L D"]:
        return self.linear(features.permute(0, 2, 3, 1))


class _Neighbourhood(nn.Module):
    """x + conv(GELU(conv3x3(LN(x))))"""

    def __init__(self, dim: int, reach: int):
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.conv = nn.Conv2d(dim, dim, 3, padding=reach, dilation=reach)
        self.out = nn.Conv2d(dim, dim, 1)

    def forward(self, pairs: Float[Tensor, "B L L D"]) -> Float[Tensor, "B L L D"]:
        inner = self.conv(self.norm(pairs).permute(0, 3, 1, 2))
        return pairs + self.out(nn.functional.gelu(inner)).permute(0, 2, 3, 1)


class DilatedMap(PairMap):
    """The sceptic's baseline: 3 x 3 convolutions, one after the other, each reaching farther; no attention."""

    def __init__(self, features: int, dim: int = 32, reach: tuple[int, ...] = (1, 2, 4, 8, 4, 1)):
        super().__init__(features, dim)
        widths = [features] + [dim] * len(reach)
        self.layers = nn.ModuleList(
            nn.Conv2d(a, b, 3, padding=r, dilation=r) for a, b, r in zip(widths, widths[1:], reach, strict=False)
        )

    def forward(self, features: Float[Tensor, "B C L L"], present: Bool[Tensor, "B L"]) -> Float[Tensor, "B L L D"]:
        there = present[:, None, :, None] & present[:, None, None, :]
        x = features * there
        for number, layer in enumerate(self.layers):
            y = torch.relu(layer(x))
            x = (y if number == 0 else x + y) * there
        return symmetric(x.permute(0, 2, 3, 1))
