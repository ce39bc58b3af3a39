"""Train, validation and test: classes in equal shares, images of one group (a patient, a photograph) in one part."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold

from zoo.domain.data import PARTS
from zoo.domain.errors import InputError
from zoo.vision.catalogue import Item

NUM_FOLDS = 5
VALID_PARTS = 8  # one of so many parts of what is not held out validates


def split_items(items: Sequence[Item], fold: int = 0, seed: int = 0) -> dict[str, list[Item]]:
    """By the items' own split where they have one (what it lacks is cut from its training part); else fold `fold` of
    five is the test part, and an eighth of the rest validates."""
    given = {part: [item for item in items if item.split == part] for part in PARTS}
    if not any(given.values()):
        rest, test = _cut(items, NUM_FOLDS, fold, seed, least=3)
        train, valid = _cut(rest, VALID_PARTS, 0, seed)
        return {"train": train, "valid": valid, "test": test}
    if not given["train"]:
        raise InputError("the images have a split and no training part: name one 'train'")
    if lost := [item.name for item in items if item.split is None]:
        raise InputError(f"{len(lost)} images have no split and others have one ({', '.join(lost[:3])}): say theirs")
    if strangers := sorted({item.label for item in items} - {item.label for item in given["train"]}):
        raise InputError(f"the training part has no image of {', '.join(strangers[:5])}: every class must be learned")
    for part in ("test", "valid"):
        if not given[part]:
            given["train"], given[part] = _cut(given["train"], VALID_PARTS, 0, seed)
    return given


def _cut(items: Sequence[Item], parts: int, chosen: int, seed: int, least: int = 2) -> tuple[list[Item], list[Item]]:
    """(the others, part `chosen`). least: images of each class."""
    labels = np.array([item.label for item in items])
    groups = np.unique([item.group or item.name for item in items], return_inverse=True)[1]
    counts = Counter(labels.tolist())
    few = [f"{label} has {count}" for label, count in counts.items() if count < least]
    if few:
        raise InputError(
            "a training, a validation and a test part need 3 images of each class at least (2 where one is given): "
            + ", ".join(few[:5])
        )
    parts = min(parts, max(counts.values()))  # no part without any image of the commonest class
    if chosen >= parts:
        raise InputError(f"fold={chosen}: no class has more than {parts} images, so there are folds 0 to {parts - 1}")
    held = list(_folds(labels, groups, parts, seed))[chosen]
    inside = set(held.tolist())
    return [x for i, x in enumerate(items) if i not in inside], [items[i] for i in held]


def _folds(labels: NDArray, groups: NDArray, parts: int, seed: int) -> list[NDArray]:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The least populated class")
        split = StratifiedGroupKFold(parts, shuffle=True, random_state=seed)
        return [held for _, held in split.split(np.zeros(len(labels)), labels, groups)]
