"""Pictures kept in memory as small as their use allows: a file is decoded once, and not in every epoch."""

from __future__ import annotations

import math
from collections.abc import Callable

from PIL import Image


class Kept:
    """The first ones stay, up to `most` pixels in all. None is ever dropped for another: epochs ask for all in turn,
    and a store that dropped the oldest would have none of them left when they come again."""

    def __init__(self, most: int):
        self.most = most
        self._pictures: dict[int, Image.Image] = {}
        self._pixels = 0

    def picture(self, index: int, make: Callable[[], Image.Image]) -> Image.Image:
        if index in self._pictures:
            return self._pictures[index]
        made = make()
        if self._pixels + made.width * made.height <= self.most:
            self._pictures[index] = made
            self._pixels += made.width * made.height
        return made


def shrunk(picture: Image.Image, pixels: float) -> Image.Image:
    """To about so many pixels in its own proportions; a smaller one stays as it is."""
    factor = math.sqrt(pixels / (picture.width * picture.height))
    if factor >= 1:
        return picture
    size = max(1, round(picture.width * factor)), max(1, round(picture.height * factor))
    return picture.resize(size, Image.Resampling.BICUBIC)
