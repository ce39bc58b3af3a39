"""What training changes about an image while it still shows the same: timm's augmentations, which mostly need no fixed
size, and a crop that keeps proportions of its own instead of being squeezed into a square."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from timm.data.auto_augment import RandAugment, rand_augment_transform
from timm.data.random_erasing import RandomErasing
from torch import Tensor

from zoo.vision.reading import Box


@dataclass(frozen=True)
class Augment:
    """crop: the least share of the area that a crop keeps, 1 for none. stretch: proportions are changed by up to this
    factor either way. flip, flip_vertical: how often. rand: timm's RandAugment, "rand-m9-n2-mstd0.5" say; null: none.
    jitter: brightness, contrast and saturation by up to this share. erase: how often a rectangle is filled with noise
    (Zhong et al. 2020). budgets: factors between which an example's token budget is drawn, uniformly in the logarithm,
    so that a thing is seen at many scales; the mean number of tokens stays about the same.
    """

    crop: float = 0.5
    stretch: float = 1.33
    flip: float = 0.5
    flip_vertical: float = 0.0
    rand: str | None = None
    jitter: float = 0.0
    erase: float = 0.0
    budgets: tuple[float, float] = (1.0, 1.0)

    @classmethod
    def problems(
        cls,
        crop: float = 0.5,
        stretch: float = 1.33,
        flip: float = 0.5,
        flip_vertical: float = 0.0,
        erase: float = 0.0,
        jitter: float = 0.0,
        budgets: tuple[float, float] = (1.0, 1.0),
        **rest: object,
    ) -> list[str]:
        shares = {"flip": flip, "flip_vertical": flip_vertical, "erase": erase, "jitter": jitter}
        wrong = [f"{name}={share} is a share, 0 to 1" for name, share in shares.items() if not 0 <= share <= 1]
        wrong += [] if 0 < crop <= 1 else [f"crop={crop} is the least share of the area that is kept, above 0, up to 1"]
        wrong += [] if stretch >= 1 else [f"stretch={stretch} is a factor, at least 1"]
        ordered = len(budgets) == 2 and 0 < budgets[0] <= budgets[1]
        return wrong + ([] if ordered else [f"budgets={list(budgets)}: expected the lowest and the highest factor"])

    @property
    def enlarged(self) -> float:
        """The largest budget of tokens over the least share of the area that it is for."""
        return self.budgets[1] / self.crop

    def part(self, width: int, height: int) -> Box:
        """The crop: of random size, place and proportions; the proportions start from the image's own."""
        if self.crop == 1 and self.stretch == 1:
            return Box(0, 0, width, height)
        area = random.uniform(self.crop, 1.0)
        tilt = math.exp(random.uniform(-1, 1) * math.log(self.stretch) / 2)
        wide = min(width, max(1, round(width * math.sqrt(area) * tilt)))
        high = min(height, max(1, round(height * math.sqrt(area) / tilt)))
        left, top = random.randint(0, width - wide), random.randint(0, height - high)
        return Box(left, top, left + wide, top + high)

    def changed(self, picture: Image.Image) -> Image.Image:
        """Of the same size."""
        if random.random() < self.flip:
            picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        if random.random() < self.flip_vertical:
            picture = picture.transpose(Image.Transpose.FLIP_TOP_BOTTOM)
        if self._rand is not None:
            picture = self._rand(picture)
        return self._jittered(picture) if self.jitter else picture

    def erased(self, pixels: Float[Tensor, "3 H W"]) -> Float[Tensor, "3 H W"]:
        return RandomErasing(self.erase, mode="pixel", device="cpu")(pixels) if self.erase else pixels

    def budget(self, budget: int, draw: random.Random) -> int:
        low, high = (math.log(f) for f in self.budgets)
        return max(1, round(budget * math.exp(draw.uniform(low, high))))

    @cached_property
    def _rand(self) -> RandAugment | None:
        grey = (128, 128, 128)
        return None if self.rand is None else rand_augment_transform(self.rand, {"img_mean": grey})

    def _jittered(self, picture: Image.Image) -> Image.Image:
        from torchvision.transforms.functional import adjust_brightness, adjust_contrast, adjust_saturation

        changes = [adjust_brightness, adjust_contrast, adjust_saturation]
        random.shuffle(changes)
        for change in changes:
            picture = change(picture, random.uniform(1 - self.jitter, 1 + self.jitter))
        return picture


@contextmanager
def drawn_from(seed: int) -> Iterator[None]:
    """All that draws inside draws from `seed`, and the states outside stay as they were: an example is the same
    whichever worker makes it, and whether or not the run was interrupted before."""
    before = random.getstate(), np.random.get_state(), torch.get_rng_state()
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.default_generator.manual_seed(seed)
    try:
        yield
    finally:
        random.setstate(before[0])
        np.random.set_state(before[1])
        torch.set_rng_state(before[2])
