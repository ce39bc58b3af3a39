"""From one sequence to a map of its pairs: the shared backbone along the sequence, then what two residues are to each
other, then convolutions over the map.

Axes: B sequences, L residues, D width of the backbone, P width of the map.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Integer
from torch import Tensor, nn

from zoo.proteins.alphabet import GAP
from zoo.proteins.pair_map import DilatedMap, PairMap, symmetric
from zoo.proteins.residues import Residues

BINS = 20  # of separation: each of its own up to 12, then wider and wider
PAD = GAP  # a code behind the end of a sequence


class SequenceMap(PairMap):
    """Two residues see each other as the product of what the backbone says of each, with their sum and how far apart
    they are; `reach` as in `DilatedMap`.

    dim: width of the map.
    """

    def __init__(self, residues: Residues, dim: int = 32, reach: tuple[int, ...] = (1, 2, 4, 1)):
        super().__init__(GAP + 1, dim)
        self.residues = residues
        self.left, self.right, self.alone = (nn.Linear(residues.dim, dim) for _ in range(3))
        self.apart = nn.Embedding(BINS, dim)
        self.over = DilatedMap(dim, dim, tuple(reach))

    def forward(self, features: Integer[Tensor, "B L"], present: Bool[Tensor, "B L"]) -> Float[Tensor, "B L L P"]:
        tokens = self.residues(features, present)
        product = symmetric(self.left(tokens)[:, :, None] * self.right(tokens)[:, None])
        alone = self.alone(tokens)
        apart = self.apart(separation_bins(features.shape[1]).to(features.device))
        pairs = product + alone[:, :, None] + alone[:, None] + apart
        return self.over(pairs.permute(0, 3, 1, 2), present)


def separation_bins(length: int) -> Integer[Tensor, "L L"]:
    place = torch.arange(length)
    apart = (place[:, None] - place[None]).abs()
    wide = 12 + (4 * torch.log2(apart.clamp(min=12) / 12)).long()
    return torch.where(apart < 12, apart, wide).clamp(max=BINS - 1)
