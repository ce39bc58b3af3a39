"""Pixels -> one vector for each patch. Images of any sizes at once; each is read by itself.

Axes: C channels, H W pixels of an image, h w its grid, p side of a patch, T all patches of all images, D width.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import lru_cache

import torch
import torch.nn.functional as F
from jaxtyping import Float
from timm.layers import LayerNorm2d
from torch import Tensor, nn

from zoo.vision.resize import Grid

Pixels = Sequence[Float[Tensor, "C H W"]]


class Patches(nn.Module, ABC):
    """patch: side in pixels."""

    patch: int

    def grids(self, pixels: Pixels) -> list[Grid]:
        """Of each image. Raises ValueError if a side is not in whole patches."""
        odd = [tuple(image.shape) for image in pixels if image.shape[1] % self.patch or image.shape[2] % self.patch]
        if odd:
            raise ValueError(f"pixels: sides must be in whole patches of {self.patch}, got C x H x W of {odd[0]}")
        return [Grid(image.shape[1] // self.patch, image.shape[2] // self.patch) for image in pixels]

    @abstractmethod
    def forward(self, pixels: Pixels) -> Float[Tensor, "T D"]:
        """Image after image, each row by row."""


class LinearPatches(Patches):
    """A linear map of each patch's pixels (Dosovitskiy et al. 2021, eq. 1): all images in one product, no padding."""

    def __init__(self, dim: int, patch: int = 16, channels: int = 3, bias: bool = True):
        super().__init__()
        self.patch = patch
        self.project = nn.Linear(channels * patch * patch, dim, bias)

    def forward(self, pixels: Pixels) -> Float[Tensor, "T D"]:
        return self.project(torch.cat([cut(image, self.patch) for image in pixels]))

    def with_patch(self, patch: int) -> LinearPatches:
        """The same map for patches of another size (FlexiViT, Beyer et al. 2023, eq. 4): what it says of a patch is
        what it said of the smaller one before that was enlarged."""
        weight = self.project.weight
        channels = weight.shape[1] // self.patch**2
        other = LinearPatches(len(weight), patch, channels, self.project.bias is not None).to(weight)
        with torch.no_grad():
            kernel = weight.unflatten(1, (channels, self.patch, self.patch))
            other.project.weight.copy_(resized_kernel(kernel, patch).flatten(1))
            if self.project.bias is not None:
                other.project.bias.copy_(self.project.bias)
        return other


def cut(image: Float[Tensor, "C H W"], patch: int) -> Float[Tensor, "n pixels"]:
    """The pixels of each patch, channel by channel."""
    c, h, w = image.shape
    tiles = image.view(c, h // patch, patch, w // patch, patch)
    return tiles.permute(1, 3, 0, 2, 4).reshape(-1, c * patch * patch)


def resized_kernel(kernel: Float[Tensor, "D C p p"], patch: int) -> Float[Tensor, "D C q q"]:
    """With B the (bicubic, antialiased) resizing of a patch: pinv(B^T) w, for which <x, w> = <B x, w'> wherever B
    enlarges."""
    old = kernel.shape[-1]
    if old == patch:
        return kernel
    matrix = torch.linalg.pinv(_resizing(old, patch).T)  # [q q, p p]
    kind = torch.promote_types(kernel.dtype, torch.float32)
    flat = kernel.to(kind).flatten(2) @ matrix.to(kind).to(kernel.device).T
    return flat.unflatten(2, (patch, patch)).to(kernel.dtype)


@lru_cache(maxsize=16)
def _resizing(old: int, new: int) -> Float[Tensor, "new_new old_old"]:
    """The linear map that resizes a patch."""
    basis = torch.eye(old * old, dtype=torch.float64).view(old * old, 1, old, old)
    return F.interpolate(basis, (new, new), mode="bicubic", antialias=True).flatten(1).T


class ConvStem(Patches):
    """Convolutions of 3 x 3, each halving the sides, then a linear map (Xiao et al. 2021): sees beyond a patch's
    border, and learns sooner from few images.

    A norm over the channels of each pixel stands where that paper has batch norm, so that an image gives the same
    tokens whatever lies in the batch beside it. Images of one size go through together.
    """

    def __init__(self, dim: int, patch: int = 16, channels: int = 3, first: int = 24):
        super().__init__()
        if wrong := self.problems(patch, first):
            raise ValueError(wrong[0])
        self.patch = patch
        layers, wide = [], channels
        for i in range(patch.bit_length() - 1):
            layers += [nn.Conv2d(wide, first * 2**i, 3, stride=2, padding=1), LayerNorm2d(first * 2**i), nn.GELU()]
            wide = first * 2**i
        self.convolutions = nn.Sequential(*layers)
        self.project = nn.Linear(wide, dim)

    @classmethod
    def problems(cls, patch: int = 16, first: int = 24, **arguments: object) -> list[str]:
        wrong = [] if patch >= 2 and patch.bit_count() == 1 else [f"patch={patch} must be a power of 2, at least 2"]
        return wrong + ([] if first >= 1 else [f"first={first} must be at least 1"])

    def forward(self, pixels: Pixels) -> Float[Tensor, "T D"]:
        found: list[Tensor | None] = [None] * len(pixels)
        for numbers in same_size(pixels):
            maps = self.convolutions(torch.stack([pixels[i] for i in numbers]))  # [b, C', h, w]
            for i, tokens in zip(numbers, maps.flatten(2).mT, strict=True):
                found[i] = tokens
        return self.project(torch.cat(found))


def same_size(pixels: Pixels) -> list[list[int]]:
    """The numbers of the images of each size."""
    groups: dict[tuple[int, ...], list[int]] = {}
    for i, image in enumerate(pixels):
        groups.setdefault(tuple(image.shape), []).append(i)
    return list(groups.values())
