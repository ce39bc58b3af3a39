"""Which images the insight looks at: drawn from the test part, or a person's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import pytorch_lightning as pl
import torch
from jaxtyping import Bool
from torch import Tensor
from torch.utils.data import DataLoader

from zoo.domain.insight import Insight
from zoo.vision.batch import ImageSet
from zoo.vision.data import PlantedImages
from zoo.vision.insight import Seen, explain
from zoo.vision.pictures import thumbnail
from zoo.vision.reading import Box

if TYPE_CHECKING:
    from zoo.vision.model import ImageClassifier

FEWEST = 20
MOST = 48  # images; each costs a hundred forward passes


def explained(model: ImageClassifier, data: pl.LightningDataModule | DataLoader) -> Insight:
    """Of `MOST` test images, or of as many of a person's own, drawn by a fixed seed."""
    images: ImageSet = data.dataset if isinstance(data, DataLoader) else data.part("test")
    boxes = known_boxes(data) if isinstance(data, PlantedImages) else {}
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))[:MOST].tolist()
    model.eval()
    seen = []
    for i in order:
        item, pixels = images.items[i], images[i].pixels.to(model.device)
        picture = images.picture(i)
        small = thumbnail(picture)  # all of them stay in memory
        seen.append(Seen(item.name, small, picture.size, pixels, item.label, boxes.get(item.name)))
    return explain(model, seen, model.classes)


def shapes(images: ImageSet) -> Mapping[str, Bool[Tensor, " N"]]:
    """Images that are taller than 5 : 4, wider, and between; a part of fewer than `FEWEST` deserves no score."""
    height, width = torch.tensor([item.size for item in images.items]).T
    tall, wide = height > 1.25 * width, width > 1.25 * height
    parts = {"portrait": tall, "landscape": wide, "nearly square": ~(tall | wide)}
    return {name: keep for name, keep in parts.items() if FEWEST <= int(keep.sum()) < len(images)}


def known_boxes(data: PlantedImages) -> dict[str, Box]:
    return {item.name: box for item, box in zip(data.truth.items, data.truth.boxes, strict=True)}
