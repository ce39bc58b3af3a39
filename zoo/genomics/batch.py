"""Sequences as batches of tensors. Axes: B batch, L bases."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Integer
from torch import Tensor
from torch.utils.data import Dataset

from zoo.domain.errors import InputError
from zoo.genomics.sequences import PAD, Sequences

COMPLEMENT = (3, 2, 1, 0, 4, 5)
INPUT_BATCH = 256
LONGEST = 20_000  # bases; a batch is padded to its longest, and the stem holds it at every base


class Batch(NamedTuple):
    """codes [B, L] (0-3 ACGT, 4 unknown, 5 padding); labels [B], NaN where unknown; names of the sequences."""

    codes: Integer[Tensor, "B L"]
    labels: Float[Tensor, " B"]
    names: tuple[str, ...]


class SequenceSet(Dataset):
    """`Sequences` as examples (codes, label, name). Raises InputError where one is longer than `LONGEST`."""

    def __init__(self, sequences: Sequences):
        longest = int(sequences.lengths.max(initial=0))
        if longest > LONGEST:
            raise InputError(
                f"the longest sequence has {longest:,} bases, the limit is {LONGEST:,}: cut the long ones into windows"
            )
        self.sequences = sequences

    def __len__(self) -> int:
        return len(self.sequences)

    def __getitem__(self, i: int) -> tuple[np.ndarray, float, str]:
        s = self.sequences
        label = float("nan") if s.labels is None else float(s.labels[i])
        return s.codes[i, : s.lengths[i]], label, s.names[i]


def collate(examples: list[tuple[np.ndarray, float, str]]) -> Batch:
    """Pads to the longest of the batch."""
    codes = np.full((len(examples), max(len(bases) for bases, _, _ in examples)), PAD, dtype=np.uint8)
    for row, (bases, _, _) in zip(codes, examples, strict=True):
        row[: len(bases)] = bases
    return Batch(
        torch.from_numpy(codes), torch.tensor([label for _, label, _ in examples]), tuple(n for _, _, n in examples)
    )


def reverse_complement(codes: Integer[Tensor, "B L"]) -> Integer[Tensor, "B L"]:
    """The other strand, read 5' to 3'; padding stays at the end."""
    place = torch.arange(codes.shape[1], device=codes.device)
    length = (codes != PAD).sum(1, keepdim=True)
    source = torch.where(place < length, length - 1 - place, place)
    return torch.tensor(COMPLEMENT, device=codes.device, dtype=codes.dtype)[codes.gather(1, source).long()]
