"""Images of any sizes -> tokens: patches, their positions, and the tokens in front of them.

Each image has class and register tokens of its own, so these belong to the embedding and not to the backbone, whose
prefix stands once in a row however many images the row holds.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from zoo.vision.layout import Arrangement, Layout, layout
from zoo.vision.patches import Patches, Pixels
from zoo.vision.positions import GridPositions
from zoo.vision.resize import Grid


@dataclass(frozen=True, eq=False)
class Tokens:
    """rows [B, n, D] as `layout` says, places [B, n, 2] of the tokens if the positions are rotary; of each image the
    `front` tokens stand first, then its patches on its own grid."""

    rows: Float[Tensor, "B n D"]
    places: Float[Tensor, "B n 2"] | None
    layout: Layout
    grids: list[Grid]
    front: int


class ImageEmbedding(nn.Module):
    """front: how many learned tokens stand before the patches of each image: a class token, then registers (Darcet et
    al. 2024). They have no position: a class token's is part of it, and rotary positions leave them as they are."""

    def __init__(self, patches: Patches, positions: GridPositions, dim: int, front: int = 0, dropout: float = 0.0):
        super().__init__()
        self.patches, self.positions = patches, positions
        self.prefix = nn.Parameter(torch.empty(front, dim)) if front else None
        if self.prefix is not None:
            nn.init.trunc_normal_(self.prefix, std=0.02)
        self.dropout = nn.Dropout(dropout)

    @property
    def front(self) -> int:
        return 0 if self.prefix is None else len(self.prefix)

    @property
    def rotary(self) -> bool:
        return self.positions.places(1, 1, torch.device("cpu")) is not None

    def forward(self, pixels: Pixels, arrangement: Arrangement = "packed") -> Tokens:
        grids = self.patches.grids(pixels)
        patches = self.patches(pixels)
        different = dict.fromkeys(grids)
        parts = patches.split([grid.tokens for grid in grids])
        added = {grid: self.positions.added(*grid) for grid in different}
        parts = [p if added[g] is None else p + added[g].to(p.dtype) for p, g in zip(parts, grids, strict=True)]
        if self.prefix is not None:
            front = self.prefix.to(patches.dtype)
            parts = [token for part in parts for token in (front, part)]
        placed = layout([self.front + grid.tokens for grid in grids], arrangement, patches.device)
        rows = placed.rows(self.dropout(torch.cat(parts)))
        return Tokens(rows, self._places(grids, placed, rows), placed, grids, self.front)

    def _places(self, grids: list[Grid], placed: Layout, rows: Tensor) -> Float[Tensor, "B n 2"] | None:
        found = {grid: self.positions.places(*grid, rows.device) for grid in dict.fromkeys(grids)}
        if found[grids[0]] is None:
            return None
        nowhere = torch.zeros(self.front, 2, device=rows.device)  # an angle of 0 turns nothing
        return placed.rows(torch.cat([x for grid in grids for x in (nowhere, found[grid])]))
