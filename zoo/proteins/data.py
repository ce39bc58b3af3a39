"""Families for training the predictor: planted, or from a data set card with whole families held out.

`shared` of a class is handed to `Families`.
"""

from __future__ import annotations

import itertools
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from zoo.domain.cards import load_card
from zoo.domain.data import DomainData
from zoo.domain.download import fetch, not_here
from zoo.proteins.batch import Example, FamilySet, collate
from zoo.proteins.families import read_families
from zoo.proteins.family_attention import FamilySettings
from zoo.proteins.planted import plant_family, shuffled_columns

VALID_EVERY = 5  # of the families not held out


class Families(DomainData):
    """family: how each family's attention is trained, which makes some of the features.

    shuffle_columns: the control; each column of every alignment is dealt out anew, so that no two are coupled.

    first: train and validate on so many families of the training part alone (debug=overfit).
    """

    collate = staticmethod(collate)

    def __init__(
        self,
        family: FamilySettings | None = None,
        shuffle_columns: bool = False,
        batch_size: int = 1,
        num_workers: int = 0,
        seed: int = 0,
        first: int | None = None,
    ):
        super().__init__(batch_size, num_workers, seed)
        self.family = FamilySettings() if family is None else family
        self.shuffle_columns, self.first = shuffle_columns, first

    @abstractmethod
    def examples(self) -> Mapping[str, Sequence[Example]]:
        """Families for "train", "valid" and "test"."""

    def parts(self) -> Mapping[str, FamilySet]:
        found = {name: list(examples) for name, examples in self.examples().items()}
        if self.first is not None:
            found["train"] = found["valid"] = found["train"][: self.first]
        if self.shuffle_columns:
            found = {name: [_shuffled(e, self.seed) for e in examples] for name, examples in found.items()}
        return {name: FamilySet(examples, self.family) for name, examples in found.items()}


class PlantedFamilies(Families):
    """Generated families with known contacts (`zoo.proteins.planted`): nothing to download."""

    def __init__(self, num_families: int = 20, depth: int = 150, **shared: Any):
        super().__init__(**shared)
        self.num_families, self.depth = num_families, depth

    def examples(self) -> Mapping[str, list[Example]]:
        made = [plant_family(self.depth, seed=self.seed * 1000 + i) for i in range(self.num_families)]
        all_of_them = [Example(p.native.name, p.alignment, p.native) for p in made]
        cuts = [int(0.7 * self.num_families), int(0.85 * self.num_families)]
        return dict(zip(("train", "valid", "test"), (list(p) for p in _split(all_of_them, cuts)), strict=True))


class HeldOutFamilies(Families):
    """The families of a card, one fold of them held out whole for the test.

    A fold is a part of cross-validation, none of SCOP's: folds take turns along the list sorted by SCOP class, so that
    classes are dealt over them, and families of one structural fold may stand in training and in test. Every fifth
    family of the rest validates: no epoch is chosen on the families that are scored. Validation families of one fold
    are test families of another, so what is chosen by several folds' validation (the features were) is chosen on some
    that are scored.
    """

    def __init__(self, card: str = "kortemme-covariation", fold: int = 0, num_folds: int = 4, **shared: Any):
        super().__init__(**shared)
        self.card, self.fold, self.num_folds = card, fold, num_folds

    @classmethod
    def problems(cls, card: str, fold: int = 0, num_folds: int = 4, **arguments: Any) -> list[str]:
        wrong = super().problems(**arguments)
        if not 0 <= fold < num_folds:
            wrong.append(f"fold={fold} must be one of 0 to {num_folds - 1}")
        return wrong + not_here(card)

    def examples(self) -> Mapping[str, list[Example]]:
        families = sorted(read_families(fetch(load_card(self.card))), key=lambda f: (f.scop_class, f.name))
        everything = [Example(f.name, f.alignment, f.native) for f in families]
        return held_out(everything, self.fold, self.num_folds)


def held_out(items: Sequence, fold: int, num_folds: int) -> dict[str, list]:
    """Every `num_folds`-th item to test, every fifth of the rest to validation."""
    test = [x for i, x in enumerate(items) if i % num_folds == fold]
    rest = [x for i, x in enumerate(items) if i % num_folds != fold]
    valid = [x for i, x in enumerate(rest) if i % VALID_EVERY == VALID_EVERY // 2]
    train = [x for i, x in enumerate(rest) if i % VALID_EVERY != VALID_EVERY // 2]
    return {"train": train, "valid": valid, "test": test}


def _split(items: Sequence, cuts: Sequence[int]) -> list[Sequence]:
    edges = [0, *cuts, len(items)]
    return [items[a:b] for a, b in itertools.pairwise(edges)]


def _shuffled(example: Example, seed: int) -> Example:
    names = np.frombuffer(example.name.encode(), dtype=np.uint8).astype(int).sum()
    return example._replace(alignment=shuffled_columns(example.alignment, seed=seed * 100_003 + int(names)))
