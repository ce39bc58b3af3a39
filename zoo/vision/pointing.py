"""Does a saliency land on an object whose place is known? (The pointing game, Zhang et al. 2016.)"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from zoo.vision.reading import Box


class Pointing(NamedTuple):
    """hit: the strongest patch's centre lies in the box. mass: share of the positive saliency inside it. area: the
    box's share of the image."""

    hit: bool
    mass: float
    area: float


def pointing(saliency: Float[Tensor, "h w"], box: Box, size: tuple[int, int]) -> Pointing:
    """box: in pixels of a picture of `size` (width, height), over which the grid is spread."""
    height, width = saliency.shape
    inside = covered(box.top, box.bottom, size[1], height)[:, None] * covered(box.left, box.right, size[0], width)
    best = int(saliency.argmax())
    y, x = (best // width + 0.5) * size[1] / height, (best % width + 0.5) * size[0] / width
    hit = box.top <= y < box.bottom and box.left <= x < box.right
    positive = saliency.clamp(min=0)
    return Pointing(hit, float((positive * inside).sum() / positive.sum().clamp(min=1e-12)), float(inside.mean()))


def covered(start: int, stop: int, length: int, cells: int) -> Float[Tensor, " cells"]:
    """The share of each of `cells` equal parts of `length` that lies between start and stop."""
    edges = torch.arange(cells + 1) * length / cells
    return (torch.clamp(edges[1:], max=stop) - torch.clamp(edges[:-1], min=start)).clamp(min=0) * cells / length
