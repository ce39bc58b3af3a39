"""Images as batches of tensors, each of its own size."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from jaxtyping import Float, Integer
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset

from zoo.vision.augment import Augment, drawn_from
from zoo.vision.catalogue import Bad, Item
from zoo.vision.reading import read_image
from zoo.vision.resize import Scale, grid_of, resized, to_pixels

UNKNOWN = -1  # label
KEPT_PIXELS = 40_000_000  # of photographs, 120 MB


@dataclass(frozen=True)
class Sizing:
    """How images become patches. patch: side in pixels. budget: most patches of an image. scale: "fit" brings every
    image to about the budget, "native" only shrinks. mean, std: of the channels, 0 to 1."""

    patch: int = 16
    budget: int = 196
    scale: Scale = "fit"
    mean: tuple[float, ...] = (0.5, 0.5, 0.5)
    std: tuple[float, ...] = (0.5, 0.5, 0.5)

    @classmethod
    def problems(cls, patch: int = 16, budget: int = 196, scale: str = "fit", **rest: object) -> list[str]:
        wrong = [f"{name}={n} must be at least 1" for name, n in (("patch", patch), ("budget", budget)) if n < 1]
        return wrong + ([] if scale in ("fit", "native") else [f"scale={scale}: expected fit or native"])

    def pixels(self, picture: Image.Image, budget: int | None = None) -> Float[Tensor, "3 H W"]:
        grid = grid_of(picture.size[::-1], self.patch, budget or self.budget, self.scale)
        return to_pixels(resized(picture, grid, self.patch), self.mean, self.std)

    def tokens(self, size: tuple[int, int], budget: int | None = None) -> int:
        """Patches of an image of `size` (height, width)."""
        return grid_of(size, self.patch, budget or self.budget, self.scale).tokens


class Batch(NamedTuple):
    """pixels: each [3, H, W]; labels [N], -1 where unknown; sizes [N, 2]: height and width as read, before resizing;
    names."""

    pixels: tuple[Float[Tensor, "3 H W"], ...]
    labels: Integer[Tensor, " N"]
    sizes: Integer[Tensor, "N 2"]
    names: tuple[str, ...]


class Example(NamedTuple):
    pixels: Float[Tensor, "3 H W"]
    label: int
    size: tuple[int, int]
    name: str


class Draw(NamedTuple):
    """One example of one epoch of training: the augmentation is a function of `seed` alone."""

    index: int
    budget: int
    seed: int


class ImageSet(Dataset):
    """The images of `items`, read when they are asked for: by number as they are, by `Draw` augmented.

    bad: what was left out when the images were looked at.
    """

    def __init__(
        self,
        items: Sequence[Item],
        classes: Sequence[str],
        sizing: Sizing,
        augment: Augment | None = None,
        bad: Sequence[Bad] = (),
    ):
        self.items, self.classes, self.sizing, self.augment = tuple(items), tuple(classes), sizing, augment
        self.bad = tuple(bad)
        number = {name: i for i, name in enumerate(self.classes)}
        self.labels = [number.get(item.label, UNKNOWN) for item in self.items]

    def __len__(self) -> int:
        return len(self.items)

    def picture(self, index: int) -> Image.Image:
        """As it was given, the right way up."""
        item = self.items[index]
        return item_picture(item)

    def lengths(self) -> list[int]:
        """Patches of each image."""
        return [self.sizing.tokens(item.size) for item in self.items]

    def __getitem__(self, asked: int | Draw) -> Example:
        index = asked.index if isinstance(asked, Draw) else asked
        picture = self.picture(index)
        size = (picture.height, picture.width)
        if isinstance(asked, Draw) and self.augment is not None:
            with drawn_from(asked.seed):
                pixels = self.sizing.pixels(self.augment.picture(picture), asked.budget)
                pixels = self.augment.erased(pixels)
        else:
            pixels = self.sizing.pixels(picture, asked.budget if isinstance(asked, Draw) else None)
        return Example(pixels, self.labels[index], size, self.items[index].name)


def item_picture(item: Item) -> Image.Image:
    if item.picture is not None:
        return item.picture
    return read_image(item.path) if item.box is None else _photograph(item.path).crop(item.box)


def _photograph(path: Path) -> Image.Image:
    """The last ones are kept, up to `KEPT_PIXELS` in all: many crops are cut from one."""
    if path not in _kept:
        _kept[path] = read_image(path)
        while len(_kept) > 1 and sum(p.width * p.height for p in _kept.values()) > KEPT_PIXELS:
            _kept.popitem(last=False)
    _kept.move_to_end(path)
    return _kept[path]


_kept: OrderedDict[Path, Image.Image] = OrderedDict()


def collate(examples: list[Example]) -> Batch:
    return Batch(
        tuple(e.pixels for e in examples),
        torch.tensor([e.label for e in examples]),
        torch.tensor([e.size for e in examples]),
        tuple(e.name for e in examples),
    )
