"""Is it needed, is it enough? Patches are painted over in the order of their saliency, and put back in that order.

    deletion    the best patches go first: the lower the probability stays, the better the saliency
    insertion   the best patches come first: the higher, the better                      (Petsiuk et al. 2018, RISE)

Two controls that know nothing of the model: a random order, and the distance from the image's centre, where objects
tend to be. Painted over means the image's own mean colour.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from zoo.vision.network import ImageReader
from zoo.vision.patches import cut
from zoo.vision.resize import Grid

LEVELS = 10
RANDOM_ORDERS = 2
RESAMPLES = 2000


@dataclass(frozen=True, eq=False)
class Curves:
    """Probability of the class at 0, 1/10, ..., all of the patches, for one image and one order."""

    deletion: Float[Tensor, " levels"]
    insertion: Float[Tensor, " levels"]

    @property
    def areas(self) -> tuple[float, float]:
        """Under either, 0 to 1."""
        return tuple(float(torch.trapezoid(c) / (len(c) - 1)) for c in (self.deletion, self.insertion))


@torch.no_grad()
def curves(
    model: ImageReader, pixels: Float[Tensor, "3 H W"], target: int, orders: Mapping[str, Float[Tensor, "h w"]]
) -> dict[str, Curves]:
    """One pair for each order; in `orders` the highest comes first."""
    patch = model.embedding.patches.patch
    variants = []
    for order in orders.values():
        first = _levels(order.flatten()).to(pixels.device)  # [levels, n]: patches among the best
        variants += [torch.where(first[..., None], *_filled(pixels, patch))]
        variants += [torch.where(first[..., None], *_filled(pixels, patch)[::-1])]
    images = _joined(torch.cat(variants), pixels, patch)
    probability = torch.cat([model(list(part)).softmax(-1)[:, target] for part in images.split(128)]).cpu()
    found = iter(probability.view(-1, LEVELS + 1))
    return {name: Curves(next(found), next(found)) for name in orders}


def _levels(order: Float[Tensor, " n"]) -> Tensor:
    rank = order.argsort(descending=True, stable=True).argsort()
    count = torch.linspace(0, len(order), LEVELS + 1).round().to(rank)
    return rank < count[:, None]


def _filled(pixels: Float[Tensor, "3 H W"], patch: int) -> tuple[Tensor, Tensor]:
    """(painted over, as it is), each [n, pixels of a patch]"""
    return cut(painted_over(pixels), patch), cut(pixels, patch)


def painted_over(pixels: Float[Tensor, "3 H W"]) -> Float[Tensor, "3 H W"]:
    return pixels.mean((1, 2), keepdim=True).expand_as(pixels).contiguous()


def _joined(patches: Float[Tensor, "k n pixels"], like: Float[Tensor, "3 H W"], patch: int) -> Float[Tensor, "k 3 H W"]:
    """The inverse of `cut`."""
    c, height, width = like.shape
    tiles = patches.view(-1, height // patch, width // patch, c, patch, patch)
    return tiles.permute(0, 3, 1, 4, 2, 5).reshape(-1, c, height, width)


def controls(grid: Grid, seed: int = 0) -> dict[str, Float[Tensor, "h w"]]:
    """Orders that know nothing of the model."""
    draw = torch.Generator().manual_seed(seed)
    found = {f"random {i + 1}": torch.rand(*grid, generator=draw) for i in range(RANDOM_ORDERS)}
    y = (torch.arange(grid.height) + 0.5) / grid.height - 0.5
    x = (torch.arange(grid.width) + 0.5) / grid.width - 0.5
    return found | {"centre": -(y[:, None] ** 2 + x**2)}


def interval(values: np.ndarray, seed: int = 0) -> tuple[float, float, float]:
    """The mean and its 95 % bootstrap interval over images."""
    draw = np.random.default_rng(seed).integers(0, len(values), (RESAMPLES, len(values)))
    low, high = np.quantile(values[draw].mean(1), [0.025, 0.975])
    return float(values.mean()), float(low), float(high)
