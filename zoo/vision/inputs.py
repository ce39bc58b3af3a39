"""A person's own images for a trained model: a file, a folder, or a manifest."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

from torch.utils.data import DataLoader

from zoo.domain.errors import InputError, LeftOut
from zoo.vision.batch import ImageSet, Sizing, collate
from zoo.vision.catalogue import looked_at, read_items

INPUT_TOKENS = 8192  # of a batch


def input_loader(path: Path, sizing: Sizing, classes: Sequence[str], labelled: bool = False) -> DataLoader:
    """Every image that can be read, in order; the others are named in a warning. Raises InputError if there is none, or
    if labels are asked for and are unknown to the model."""
    found = looked_at(read_items(path, labelled=True if labelled else None))
    if found.bad:
        warnings.warn(LeftOut(found.told(), found.told(None)), stacklevel=2)
    if not found.items:
        raise InputError(f"{path}: none of its images can be used")
    strangers = sorted(set(found.classes) - set(classes))
    if labelled and strangers:
        raise InputError(
            f"{path} has labels that the model has not learned ({', '.join(strangers[:5])}); it knows "
            f"{', '.join(classes)}"
        )
    images = ImageSet(found.items, classes, sizing, bad=found.bad)
    return DataLoader(images, batch_size=max(1, INPUT_TOKENS // sizing.budget), collate_fn=collate)
