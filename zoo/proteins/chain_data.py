"""Chains for training from sequence alone: homologues stay together in one part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import UInt8
from torch.utils.data import Dataset

from zoo.domain.cards import load_card
from zoo.domain.data import DomainData
from zoo.domain.download import fetch, not_here
from zoo.proteins.batch import Batch, Example, truth
from zoo.proteins.chains import read_chain_examples
from zoo.proteins.homologues import SHARES, SPLIT_SEED, clusters, whole_clusters
from zoo.proteins.sequence_map import PAD


class ChainSet(Dataset):
    """Sequences and, where there are structures, their contacts."""

    def __init__(self, examples: Sequence[Example]):
        self.examples = tuple(examples)

    def __len__(self) -> int:
        return len(self.examples)

    def __getitem__(self, i: int) -> tuple[UInt8[np.ndarray, " L"], Example]:
        return self.examples[i].alignment.codes[0], self.examples[i]


def collate_chains(items: Sequence[tuple[np.ndarray, Example]]) -> Batch:
    """Pads to the longest. `features` are the residues' codes, [B, L]."""
    longest = max(len(codes) for codes, _ in items)
    codes = np.full((len(items), longest), PAD, dtype=np.int64)
    contact = np.full((len(items), longest, longest), np.nan, dtype=np.float32)
    present = np.zeros((len(items), longest), dtype=bool)
    for row, (sequence, example) in enumerate(items):
        length = len(sequence)
        codes[row, :length], present[row, :length] = sequence, True
        contact[row, :length, :length] = truth(example.native, length)
    found = (torch.from_numpy(x) for x in (codes, present, contact))
    return Batch(*found, tuple(example for _, example in items))


class Chains(DomainData):
    """The chains of a card, in three parts between which no two are homologues.

    first: train and validate on so many chains of the training part alone (debug=overfit).
    """

    collate = staticmethod(collate_chains)

    def __init__(
        self,
        card: str = "cgdms-chains",
        batch_size: int = 8,
        num_workers: int = 0,
        seed: int = 0,
        first: int | None = None,
    ):
        super().__init__(batch_size, num_workers, seed)
        self.card, self.first = card, first

    @classmethod
    def problems(cls, card: str, **arguments: Any) -> list[str]:
        wrong = super().problems(**arguments)
        return wrong + not_here(card)

    def parts(self) -> Mapping[str, ChainSet]:
        examples = list(read_chain_examples(fetch(load_card(self.card))))
        found = clusters([example.alignment.sequence(0) for example in examples])
        train, valid, test = ([examples[i] for i in part] for part in whole_clusters(found, SHARES, SPLIT_SEED))
        if self.first is not None:
            train = valid = train[: self.first]
        return {"train": ChainSet(train), "valid": ChainSet(valid), "test": ChainSet(test)}
