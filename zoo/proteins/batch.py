"""Families as batches of tensors. Axes: B families, C features, L columns of the longest, padded behind."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.utils.data import Dataset

from zoo.domain.errors import InputError
from zoo.proteins.alignment import Alignment
from zoo.proteins.contacts import Native
from zoo.proteins.family_attention import FamilySettings
from zoo.proteins.pair_features import CouplingMaps, coupling_maps, pair_features
from zoo.proteins.potts import check_length

LEAST_SEPARATION = 6  # nearer pairs are neither trained on nor scored


class Example(NamedTuple):
    """One family. native: None where no structure is known. columns: the alignment's own numbers, from 0."""

    name: str
    alignment: Alignment
    native: Native | None


class Batch(NamedTuple):
    """features [B, C, L, L]; present [B, L]: columns, not padding; contact [B, L, L]: 1, 0, NaN where unknown or
    nearer than six residues; examples: what they were made of."""

    features: Float[Tensor, "B C L L"]
    present: Bool[Tensor, "B L"]
    contact: Float[Tensor, "B L L"]
    examples: tuple[Example, ...]


class FamilySet(Dataset):
    """Examples and their features, made when first asked for and then held. family: see `coupling_maps`."""

    def __init__(self, examples: Sequence[Example], family: FamilySettings | None = None):
        for example in examples:
            check_length(example.alignment.length)
        self.examples, self.family = tuple(examples), family
        self._features: dict[int, Float[np.ndarray, "C L L"]] = {}

    def __len__(self) -> int:
        return len(self.examples)

    def couplings(self, i: int) -> CouplingMaps:
        return coupling_maps(self.examples[i].alignment, self.family)

    def __getitem__(self, i: int) -> tuple[Float[np.ndarray, "C L L"], Example]:
        if i not in self._features:
            self._features[i] = pair_features(self.couplings(i))
        return self._features[i], self.examples[i]


def truth(native: Native | None, length: int) -> Float[np.ndarray, "L L"]:
    """1 contact, 0 none, NaN unknown or too near to count."""
    if native is None:
        return np.full((length, length), np.nan, dtype=np.float32)
    counted = native.known & (native.separation >= LEAST_SEPARATION)
    return np.where(counted, native.contact, np.nan).astype(np.float32)


def collate(items: Sequence[tuple[np.ndarray, Example]]) -> Batch:
    """Pads to the longest of the batch."""
    longest = max(features.shape[1] for features, _ in items)
    features = np.zeros((len(items), items[0][0].shape[0], longest, longest), dtype=np.float32)
    contact = np.full((len(items), longest, longest), np.nan, dtype=np.float32)
    present = np.zeros((len(items), longest), dtype=bool)
    for row, (maps, example) in enumerate(items):
        length = maps.shape[1]
        features[row, :, :length, :length] = maps
        contact[row, :length, :length] = truth(example.native, length)
        present[row, :length] = True
    found = (torch.from_numpy(x) for x in (features, present, contact))
    return Batch(*found, tuple(example for _, example in items))


def with_structure(examples: Sequence[Example], path: object) -> None:
    """Raises InputError where one has none."""
    if any(example.native is None for example in examples):
        raise InputError(
            f"{path} has no structure to score against: give one with --structure, or put it beside it, with the same "
            "name and the ending .pdb, .cif or .ent"
        )
