"""Patches described by their edges instead of their pixels: a stem that needs no training, for hundreds of images."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from zoo.vision.patches import Patches, Pixels, same_size

AROUND = 0.05  # magnitude below which an edge counts as noise, in units of the normalised pixels
FAINT = 0.01


class OrientedGradients(Patches):
    """Histograms of gradients (Dalal & Triggs 2005), then a small MLP that is learned.

    Each patch is cells x cells squares; of each the shares of `bins` orientations, over the edges of the squares
    around it, square root; the logarithm of how strong its edges are; and its mean colour. A linear classifier needs
    some hundred images to use these and a convolution learns them from a hundred thousand (Oyallon et al. 2019 put
    fixed filters under a network for the same reason).
    """

    def __init__(self, dim: int, patch: int = 16, cells: int = 2, bins: int = 8, channels: int = 3):
        super().__init__()
        if wrong := self.problems(patch, cells, bins):
            raise ValueError(wrong[0])
        self.patch, self.cells, self.bins = patch, cells, bins
        width = (bins + 1 + channels) * cells**2
        self.project = nn.Sequential(nn.Linear(width, 2 * dim), nn.GELU(), nn.Linear(2 * dim, dim))

    @classmethod
    def problems(cls, patch: int = 16, cells: int = 2, bins: int = 8, **arguments: object) -> list[str]:
        wrong = [] if cells >= 1 and patch % cells == 0 else [f"cells={cells} must divide patch={patch}"]
        return wrong + ([] if bins >= 2 else [f"bins={bins} must be at least 2"])

    def forward(self, pixels: Pixels) -> Float[Tensor, "T D"]:
        found: list[Tensor | None] = [None] * len(pixels)
        for numbers in same_size(pixels):
            maps = described(torch.stack([pixels[i] for i in numbers]), self.patch // self.cells, self.bins)
            tokens = F.pixel_unshuffle(maps, self.cells).flatten(2).mT
            for i, own in zip(numbers, tokens, strict=True):
                found[i] = own
        return self.project(torch.cat(found))


def described(images: Float[Tensor, "b C H W"], cell: int, bins: int) -> Float[Tensor, "b features h w"]:
    """Of each cell x cell square, all of about unit size: bins shares, the strength, the mean colour."""
    edges = histograms(*gradient(images), cell, bins)
    total = edges.sum(1, keepdim=True)
    around = F.avg_pool2d(F.pad(total, (1, 1, 1, 1), mode="replicate"), 3, 1)
    shares = (edges / (around + AROUND)).sqrt() * 4 - 1
    return torch.cat([shares, (total + FAINT).log() / 2 + 1, F.avg_pool2d(images, cell) * 2], dim=1)


def gradient(images: Float[Tensor, "b C H W"]) -> tuple[Float[Tensor, "b H W"], Float[Tensor, "b H W"]]:
    """(magnitude, angle) of central differences, of the channel where it is largest."""
    padded = F.pad(images, (1, 1, 1, 1), mode="replicate")
    x = padded[..., 1:-1, 2:] - padded[..., 1:-1, :-2]
    y = padded[..., 2:, 1:-1] - padded[..., :-2, 1:-1]
    square, strongest = (x.square() + y.square()).max(1, keepdim=True)
    return square[:, 0].sqrt(), torch.atan2(y.gather(1, strongest)[:, 0], x.gather(1, strongest)[:, 0])


def histograms(
    strength: Float[Tensor, "b H W"], angle: Float[Tensor, "b H W"], cell: int, bins: int
) -> Float[Tensor, "b bins h w"]:
    """Mean strength at each orientation in each cell: a pixel counts for the two bins that it lies between, and an
    edge and its negative are one orientation. Sums at indices: three times as fast as a map for each bin."""
    images, height, width = strength.shape
    rows, columns = (torch.arange(n, device=strength.device) // cell for n in (height, width))
    grid = height // cell, width // cell
    numbers = torch.arange(images, device=strength.device)
    first = ((numbers[:, None, None] * grid[0] + rows[:, None]) * grid[1] + columns) * bins
    place = angle * (bins / math.pi)
    below = place.floor()
    upper = (place - below) * strength
    found = strength.new_zeros(images * grid[0] * grid[1] * bins)
    for bin_, share in ((below, strength - upper), (below + 1, upper)):
        found = found.index_add(0, (first + bin_.long() % bins).flatten(), share.flatten())
    return found.view(images, *grid, bins).permute(0, 3, 1, 2) / cell**2
