"""Cross-validation inside the training and validation parts, which leaves the test part shut."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from zoo.genomics.sequences import Sequences, join, take
from zoo.genomics.split import SPLIT_SEED, homology_split

FOLDS = 5
VALID = 0.125  # of what a fold does not hold out


def folded(parts: Mapping[str, Sequences], fold: int) -> dict[str, Sequences]:
    """Train, valid and, as "test", the fold 0 ... 4 that is held out. No 30-mer is shared between any two of them."""
    known = join(parts["train"], parts["valid"])
    folds = homology_split(known, (1 / FOLDS,) * FOLDS, seed=SPLIT_SEED)
    rest = take(known, np.sort(np.concatenate([rows for i, rows in enumerate(folds) if i != fold])))
    train, valid = homology_split(rest, (1 - VALID, VALID), seed=SPLIT_SEED)
    return {"train": take(rest, train), "valid": take(rest, valid), "test": take(known, folds[fold])}


def fold_problems(fold: int | None) -> list[str]:
    wrong = fold is not None and not 0 <= fold < FOLDS
    return [f"fold={fold}: expected 0 to {FOLDS - 1}, or null for the set's own test part"] if wrong else []
