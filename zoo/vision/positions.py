"""Where a patch stands on its image's own grid: vectors to be added, places for rotary positions, or both.

The backbone counts tokens of a row; images have two axes and grids of their own, so the embedding says it.
Axes: h, w the grid, D width.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from timm.layers import build_sincos2d_pos_embed
from torch import Tensor, nn

from zoo.attention import LearnedGrid


class GridPositions(nn.Module):
    """No positions at all: patches are a bag."""

    def added(self, height: int, width: int) -> Float[Tensor, "n D"] | None:
        """What is added to the patches of a grid, row by row."""
        return None

    def places(self, height: int, width: int, device: torch.device) -> Float[Tensor, "n 2"] | None:
        """Where they stand, for a backbone with rotary positions on two axes; one without reads none."""
        return None


class Interpolated(GridPositions):
    """A learned table for a grid, interpolated to any other: smaller, larger, of any proportions (ViT, section 3.2)."""

    def __init__(self, height: int, width: int, dim: int):
        super().__init__()
        self.grid = LearnedGrid(height, width, dim)

    def added(self, height: int, width: int) -> Float[Tensor, "n D"]:
        return self.grid(height, width)[0]


class Waves(Interpolated):
    """The same table, started at half of sines and cosines of row and column (MoCo v3, Chen et al. 2021) instead of
    noise: patches know their places, and their neighbours', from the first step on."""

    def __init__(self, height: int, width: int, dim: int):
        super().__init__(height, width, dim)
        if wrong := self.problems(dim):
            raise ValueError(wrong[0])
        waves = build_sincos2d_pos_embed([height, width], dim, interleave_sin_cos=False)  # [h w, D]
        with torch.no_grad():
            self.grid.table.copy_(waves.T.view_as(self.grid.table) / 2)

    @classmethod
    def problems(cls, dim: int, **arguments: object) -> list[str]:
        return [] if dim % 4 == 0 else [f"dim={dim} must be divisible by 4: sines and cosines of two axes"]


class Factorised(GridPositions):
    """A learned vector for each row plus one for each column, interpolated linearly (NaViT, section 3.1).

    A grid of proportions never seen in training has rows and columns that were seen.
    """

    def __init__(self, height: int, width: int, dim: int):
        super().__init__()
        self.rows, self.columns = _Line(height, dim), _Line(width, dim)

    def added(self, height: int, width: int) -> Float[Tensor, "n D"]:
        return (self.rows(height)[:, None] + self.columns(width)).flatten(0, 1)


class _Line(nn.Module):
    def __init__(self, length: int, dim: int):
        super().__init__()
        self.table = nn.Parameter(torch.empty(length, dim))
        nn.init.trunc_normal_(self.table, std=0.02)

    def forward(self, length: int) -> Float[Tensor, "length D"]:
        if length == len(self.table):
            return self.table
        return F.interpolate(self.table.T[None], size=length, mode="linear")[0].T


class Cells(GridPositions):
    """Row and column numbers: axial rotary positions (Heo et al. 2024), whose scale is that of the patches."""

    def places(self, height: int, width: int, device: torch.device) -> Float[Tensor, "n 2"]:
        rows, columns = torch.arange(height, device=device), torch.arange(width, device=device)
        return torch.cartesian_prod(rows, columns).view(-1, 2).float()


class Centred(GridPositions):
    """Coordinates of patch centres between -1 and 1 on either axis, as full turns: DINOv3's (Simeoni et al. 2025),
    whose scale is that of the whole image."""

    def places(self, height: int, width: int, device: torch.device) -> Float[Tensor, "n 2"]:
        rows, columns = ((torch.arange(0.5, n, device=device) / n * 2 - 1) * 2 * math.pi for n in (height, width))
        return torch.cartesian_prod(rows, columns).view(-1, 2)
