"""Images for training: planted, a person's own folder or manifest, or a data set named by its card."""

from __future__ import annotations

import warnings
from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from torch.utils.data import DataLoader

from zoo.domain.cards import Card, load_card
from zoo.domain.data import PARTS, DomainData
from zoo.domain.download import fetch, not_here
from zoo.domain.errors import InputError, LeftOut
from zoo.domain.insight import Insight
from zoo.vision.audit import audit
from zoo.vision.augment import Augment
from zoo.vision.batch import ImageSet, Sizing, collate
from zoo.vision.batching import TokenBatches, TokenLoader
from zoo.vision.catalogue import Catalogue, Item, looked_at, read_items, voc_items
from zoo.vision.planted import PlantedImages as Planted
from zoo.vision.planted import plant_images
from zoo.vision.split import NUM_FOLDS, split_items

KEPT_PIXELS = 100_000_000  # of each part, 300 MB


class ImageData(DomainData):
    """What the sources share.

    sizing: how images become patches; the model's must be the same. augment: what training changes. batch_tokens: of a
    training batch, about; evaluation takes as many images as would fill it. alike: images of one batch have similar
    numbers of tokens, for training with padding. strict: bad files stop the run. first: train and validate on so many
    images of the training part alone (debug=overfit).
    """

    collate = staticmethod(collate)

    def __init__(
        self,
        sizing: Sizing,
        augment: Augment | None = None,
        batch_tokens: int = 4096,
        alike: bool = False,
        strict: bool = False,
        num_workers: int = 0,
        seed: int = 0,
        first: int | None = None,
    ):
        super().__init__(max(1, batch_tokens // sizing.budget // 4), num_workers, seed)  # read in fours, in order
        self.sizing, self.augment, self.batch_tokens, self.alike = sizing, augment, batch_tokens, alike
        self.strict, self.first = strict, first

    @classmethod
    def problems(cls, batch_tokens: int = 4096, num_workers: int = 0, **arguments: Any) -> list[str]:
        wrong = [] if batch_tokens >= 1 else [f"batch_tokens={batch_tokens} must be at least 1"]
        return wrong + super().problems(num_workers=num_workers)

    @abstractmethod
    def catalogue(self) -> Catalogue:
        """All labelled images."""

    @abstractmethod
    def divided(self, items: tuple[Item, ...]) -> Mapping[str, list[Item]]:
        """Into the three parts."""

    @property
    def classes(self) -> tuple[str, ...]:
        return self.part("train").classes

    def parts(self) -> Mapping[str, ImageSet]:
        found = self.catalogue()
        if found.bad:
            warnings.warn(LeftOut(found.told(), found.told(None)), stacklevel=2)
        if not found.items:
            raise InputError("none of the images can be used")
        if len(found.classes) < 2:
            raise InputError(f"two classes are needed to tell apart, and all images are of one: {found.classes[0]}")
        divided = {name: list(items) for name, items in self.divided(found.items).items()}
        if self.first is not None:
            step = max(1, len(divided["train"]) // self.first)
            divided["train"] = divided["valid"] = divided["train"][::step][: self.first]
        augment = {"train": self.augment}
        return {
            name: ImageSet(divided[name], found.classes, self.sizing, augment.get(name), found.bad, KEPT_PIXELS)
            for name in PARTS
        }

    def audit(self) -> Insight:
        return audit(self.part("train"), self.part("valid"), self.part("test"), self.seed)

    def train_dataloader(self) -> DataLoader:
        batches = TokenBatches(self.part("train"), self.batch_tokens, self.seed, self.alike)
        self._train = TokenLoader(batches, self.num_workers)
        self._train.load_state_dict(self._position or self._train.state_dict())
        return self._train


class PlantedImages(ImageData):
    """Generated images with a known object (`zoo.vision.planted`): nothing to download, and the answer is known."""

    def __init__(self, sizing: Sizing, num_images: int = 3000, shuffle_labels: bool = False, **shared: Any):
        super().__init__(sizing, **shared)
        self.num_images, self.shuffle_labels = num_images, shuffle_labels
        self.truth: Planted | None = None

    def catalogue(self) -> Catalogue:
        self.truth = plant_images(self.num_images, self.shuffle_labels, self.seed)
        return Catalogue(self.truth.items)

    def divided(self, items: tuple[Item, ...]) -> dict[str, list[Item]]:
        cuts = [int(0.8 * len(items)), int(0.9 * len(items))]  # they are in random order
        train, valid, test = items[: cuts[0]], items[cuts[0] : cuts[1]], items[cuts[1] :]
        return {"train": list(train), "valid": list(valid), "test": list(test)}


class OwnImages(ImageData):
    """A person's own: a folder with a folder for each class (and, above these, train, valid and test, if there is a
    split), or a CSV manifest with columns path, label and, if any, split, group, xmin, ymin, xmax, ymax."""

    files = ("images",)

    def __init__(self, sizing: Sizing, images: str, fold: int = 0, **shared: Any):
        super().__init__(sizing, **shared)
        self.images, self.fold = images, fold

    @classmethod
    def problems(cls, images: str, fold: int = 0, **arguments: Any) -> list[str]:
        wrong = super().problems(**arguments) + fold_problems(fold)
        return wrong if Path(images).expanduser().exists() else [*wrong, f"images={images}: there is no such path"]

    def catalogue(self) -> Catalogue:
        return looked_at(read_items(self.images, labelled=True), self.strict)

    def divided(self, items: tuple[Item, ...]) -> dict[str, list[Item]]:
        return split_items(items, self.fold, self.seed)


class CardImages(ImageData):
    """A real data set, named by its card. layout: "folders", one for each class, or "voc", photographs with named
    boxes, which are cut out. fold: which fifth is the test part; the set's own split is left aside."""

    def __init__(self, sizing: Sizing, card: str, layout: Literal["folders", "voc"], fold: int = 0, **shared: Any):
        super().__init__(sizing, **shared)
        self.card, self.layout, self.fold = card, layout, fold

    @classmethod
    def problems(cls, card: str, fold: int = 0, **arguments: Any) -> list[str]:
        return super().problems(**arguments) + fold_problems(fold) + not_here(card)

    def catalogue(self) -> Catalogue:
        card = load_card(self.card)
        return looked_at(card_items(card, fetch(card), self.layout), self.strict)

    def divided(self, items: tuple[Item, ...]) -> dict[str, list[Item]]:
        return split_items(items, self.fold, self.seed)


def card_items(card: Card, folder: Path, layout: Literal["folders", "voc"]) -> list[Item]:
    """Of the files that the card names, and no other that may lie there."""
    named = sorted(folder / file.path for file in card.files)
    if layout == "voc":
        photographs = {p.stem: p for p in named if p.suffix == ".jpg"}
        notes = [p for p in named if p.suffix == ".xml"]
        return voc_items(notes, photographs[notes[0].stem].parent)
    pictures = [p.relative_to(folder) for p in named if p.suffix in (".jpg", ".png")]
    return [Item(p.as_posix(), folder / p, p.parts[0]) for p in pictures]


def fold_problems(fold: int) -> list[str]:
    return [] if 0 <= fold < NUM_FOLDS else [f"fold={fold} must be one of 0 to {NUM_FOLDS - 1}"]
