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
from zoo.vision.kept import Kept, shrunk
from zoo.vision.reading import Box, read_image
from zoo.vision.resize import Scale, grid_of, resized, to_pixels

UNKNOWN = -1  # label
PHOTOGRAPHS = 40_000_000  # of photographs, 120 MB


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

    def picture(self, picture: Image.Image, budget: int | None = None, part: Box | None = None) -> Image.Image:
        """Of it, or of a part of it, whole patches."""
        part = part or Box(0, 0, *picture.size)
        grid = grid_of((part.height, part.width), self.patch, budget or self.budget, self.scale)
        return resized(picture, grid, self.patch, part)

    def values(self, picture: Image.Image) -> Float[Tensor, "3 H W"]:
        return to_pixels(picture, self.mean, self.std)

    def pixels(self, picture: Image.Image, budget: int | None = None) -> Float[Tensor, "3 H W"]:
        return self.values(self.picture(picture, budget))

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

    bad: what was left out when the images were looked at. kept: pixels that stay in memory for the next epoch.
    """

    def __init__(
        self,
        items: Sequence[Item],
        classes: Sequence[str],
        sizing: Sizing,
        augment: Augment | None = None,
        bad: Sequence[Bad] = (),
        kept: int = 0,
    ):
        self.items, self.classes, self.sizing, self.augment = tuple(items), tuple(classes), sizing, augment
        self.bad = tuple(bad)
        self._sources, self._ready = Kept(kept), Kept(kept)
        number = {name: i for i, name in enumerate(self.classes)}
        self.labels = [number.get(item.label, UNKNOWN) for item in self.items]

    def __len__(self) -> int:
        return len(self.items)

    def picture(self, index: int) -> Image.Image:
        """As it was given, the right way up."""
        return item_picture(self.items[index])

    def lengths(self) -> list[int]:
        """Patches of each image."""
        return [self.sizing.tokens(item.size) for item in self.items]

    def __getitem__(self, asked: int | Draw) -> Example:
        if isinstance(asked, Draw):
            index, pixels = asked.index, self._drawn(asked)
        else:
            index = asked
            pixels = self.sizing.values(self._ready.picture(index, lambda: self.sizing.picture(self.picture(index))))
        item = self.items[index]
        return Example(pixels, self.labels[index], item.size, item.name)

    def _drawn(self, draw: Draw) -> Float[Tensor, "3 H W"]:
        """Cut out and resized first: what else is changed costs as little as the image is then large."""
        picture = self._sources.picture(draw.index, lambda: self._source(draw.index))
        if self.augment is None:
            return self.sizing.pixels(picture, draw.budget)
        with drawn_from(draw.seed):
            part = self.augment.part(*picture.size)
            small = self.augment.changed(self.sizing.picture(picture, draw.budget, part))
            return self.augment.erased(self.sizing.values(small))

    def _source(self, index: int) -> Image.Image:
        """What crops are cut from: no larger than the smallest crop at the largest budget asks for. At native scale
        size speaks, and nothing is shrunk."""
        picture, sizing = self.picture(index), self.sizing
        if sizing.scale == "native" or self.augment is None:
            return picture
        return shrunk(picture, sizing.budget * sizing.patch**2 * self.augment.enlarged)


def item_picture(item: Item) -> Image.Image:
    if item.picture is not None:
        return item.picture
    return read_image(item.path) if item.box is None else _photograph(item.path).crop(item.box)


def _photograph(path: Path) -> Image.Image:
    """The last ones are kept, up to `PHOTOGRAPHS` in all: many crops are cut from one."""
    if path not in _kept:
        _kept[path] = read_image(path)
        while len(_kept) > 1 and sum(p.width * p.height for p in _kept.values()) > PHOTOGRAPHS:
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
