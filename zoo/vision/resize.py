"""How large an image is to the model: as many patches as its budget allows, in its own proportions."""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from zoo.vision.reading import Box

Scale = Literal["fit", "native"]


class Grid(NamedTuple):
    """Rows and columns of patches."""

    height: int
    width: int

    @property
    def tokens(self) -> int:
        return self.height * self.width


def grid_of(size: tuple[int, int], patch: int, budget: int, scale: Scale = "fit") -> Grid:
    """The grid of an image of `size` (height, width): at most `budget` patches, at least one.

    fit: enlarged or shrunk until the budget is nearly used. native: shrunk if it is beyond the budget, never enlarged,
    so that size stays visible to the model. A side is rounded to whole patches, the long one last, so that the
    proportions are off by less than one patch; an image too narrow for one patch a row is as long as the budget allows.
    """
    if budget < 1 or patch < 1 or min(size) < 1:
        raise ValueError(f"expected a size, patch and budget of at least 1, got {size}, {patch}, {budget}")
    height, width = size[0] / patch, size[1] / patch
    factor = math.sqrt(budget / (height * width))
    if scale == "native":
        factor = min(1.0, factor)
    short, long = sorted((height, width))
    low = max(1, round(short * factor))
    while low > 1 and low * max(1, round(long * low / short)) > budget:
        low -= 1
    if scale == "native" and factor == 1.0:
        high = max(1, min(round(long), budget // low))
    else:
        high = max(1, min(round(long * low / short), budget // low))
    return Grid(low, high) if height <= width else Grid(high, low)


def resized(picture: Image.Image, grid: Grid, patch: int, part: Box) -> Image.Image:
    """The part of it, bicubic and antialiased, to whole patches."""
    size = (grid.width * patch, grid.height * patch)
    if size == (part.width, part.height):
        return picture if size == picture.size else picture.crop(part)
    return picture.resize(size, Image.Resampling.BICUBIC, box=part)


def to_pixels(
    picture: Image.Image, mean: tuple[float, ...] = (0.5,) * 3, std: tuple[float, ...] = (0.5,) * 3
) -> Float[Tensor, "3 H W"]:
    """RGB of 0 to 1, less `mean`, over `std`."""
    bytes_ = torch.from_numpy(np.array(picture)).permute(2, 0, 1).contiguous()  # a quarter of what floats would move
    return (bytes_ / 255 - torch.tensor(mean)[:, None, None]) / torch.tensor(std)[:, None, None]
