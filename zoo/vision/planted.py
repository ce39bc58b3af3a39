"""Planted images: a known object at a known place, in images of any size and shape.

Each image is a blurred, noisy background of random colours with plain discs on it, which mean nothing, and one disc
with a pattern, which is the class: horizontal stripes, vertical stripes, checks or rings. Colours, sizes and places
are drawn alike for all classes, so only the pattern tells, and whoever looks elsewhere cannot know.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from zoo.domain.errors import InputError
from zoo.vision.catalogue import Item
from zoo.vision.reading import Box

PATTERNS = ("checks", "horizontal", "rings", "vertical")
SIDES = (48, 144)  # pixels, least and most, each side by itself: proportions up to 1 : 3
OBJECT = (28, 40)  # diameter
STRIPE = 3  # pixels
MAX_DECOYS = 3
NOISE = 8.0  # standard deviation, of 255


@dataclass(frozen=True)
class PlantedImages:
    """items: with their pictures, and labels; boxes: where the object is, in the pixels of its picture."""

    items: tuple[Item, ...]
    boxes: tuple[Box, ...]


def plant_images(num_images: int = 3000, shuffle_labels: bool = False, seed: int = 0) -> PlantedImages:
    """The same seed gives the same images. shuffle_labels: the control; the very same images, labels dealt out anew.

    Raises InputError for fewer than one image of each class.
    """
    if num_images < len(PATTERNS):
        raise InputError(f"num_images={num_images}: at least {len(PATTERNS)} are needed, one of each class")
    draw = np.random.default_rng(seed)
    labels = draw.permutation(np.arange(num_images) % len(PATTERNS))
    made = [_image(PATTERNS[label], np.random.default_rng([seed, i])) for i, label in enumerate(labels)]
    if shuffle_labels:
        labels = draw.permutation(labels)
    items = tuple(
        Item(f"planted_{i + 1}", None, PATTERNS[label], size=(picture.height, picture.width), picture=picture)
        for i, (label, (picture, _)) in enumerate(zip(labels, made, strict=True))
    )
    return PlantedImages(items, tuple(box for _, box in made))


def _image(pattern: str, draw: np.random.Generator) -> tuple[Image.Image, Box]:
    height, width = (round(float(np.exp(draw.uniform(*np.log(SIDES))))) for _ in range(2))
    canvas = _background(height, width, draw)
    for _ in range(int(draw.integers(0, MAX_DECOYS + 1))):
        _put(canvas, "plain", draw)
    box = _put(canvas, pattern, draw)
    canvas += draw.normal(0, NOISE, canvas.shape)
    return Image.fromarray(canvas.clip(0, 255).astype(np.uint8)), box


def _background(height: int, width: int, draw: np.random.Generator) -> NDArray[np.float64]:
    coarse = draw.integers(40, 216, (4, 4, 3)).astype(np.uint8)
    smooth = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
    return np.asarray(smooth).astype(np.float64)


def _put(canvas: NDArray[np.float64], pattern: str, draw: np.random.Generator) -> Box:
    """Draws a disc at a random place, whole, over whatever is there."""
    height, width = canvas.shape[:2]
    side = int(draw.integers(OBJECT[0], min(OBJECT[1], height, width) + 1))
    top, left = int(draw.integers(0, height - side + 1)), int(draw.integers(0, width - side + 1))
    y, x = np.mgrid[:side, :side]
    radius = np.hypot(y - (side - 1) / 2, x - (side - 1) / 2)
    bright, dark = draw.uniform(150, 255, 3), draw.uniform(0, 105, 3)
    shift = draw.integers(0, 2 * STRIPE, 2)
    level = _level(pattern, y + shift[0], x + shift[1], radius + shift[0])
    if pattern == "plain":
        bright = dark = draw.uniform(0, 255, 3)
    patch = np.where(level[..., None], bright, dark)
    inside = radius <= side / 2
    canvas[top : top + side, left : left + side][inside] = patch[inside]
    return Box(left, top, left + side, top + side)


def _level(pattern: str, y: NDArray, x: NDArray, radius: NDArray) -> NDArray[np.bool_]:
    rows, columns = y // STRIPE % 2 == 0, x // STRIPE % 2 == 0
    if pattern == "horizontal":
        return rows
    if pattern == "vertical":
        return columns
    if pattern == "checks":
        return rows ^ columns
    return radius // STRIPE % 2 == 0
