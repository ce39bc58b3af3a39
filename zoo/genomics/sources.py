"""Which sequences the insight and the baselines look at: the parts of the training data, or a person's own file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from zoo.domain.errors import InputError
from zoo.domain.insight import Insight
from zoo.genomics.baselines import combined_regression, kmer_regression, position_regression
from zoo.genomics.data import PlantedPromoters, PromoterData
from zoo.genomics.evidence import known_sites
from zoo.genomics.insight import explain
from zoo.genomics.negatives import contrast
from zoo.genomics.sequences import Sequences, join, take
from zoo.genomics.split import shares_kmer

if TYPE_CHECKING:
    from zoo.genomics.model import PromoterDetector

MIN_INPUT = 20  # sequences, fewer hold no statistics


def explained(model: PromoterDetector, data: pl.LightningDataModule | DataLoader) -> Insight:
    """Motifs found on the training and validation positives and tested on the test part; or, of a person's file,
    found on every other sequence and tested on the rest (against shuffled copies where it has no negatives)."""
    if isinstance(data, DataLoader):
        return explain(model, *_of_input(data.dataset.sequences))
    planted = data.truth if isinstance(data, PlantedPromoters) else None
    return explain(model, *_of_parts(data), planted=planted)


Sources = tuple[Sequences, Sequences, Sequences, list | None]


def _of_parts(data: PromoterData) -> Sources:
    seen = join(data.sequences("train"), data.sequences("valid"))
    test = data.sequences("test")
    positives = take(test, np.flatnonzero(test.labels == 1))
    known = None
    if isinstance(data, PlantedPromoters):
        known = _planted_sites(data, test)
    elif data.known_site:
        known = known_sites(positives.strings(), data.known_site)
    return take(seen, np.flatnonzero(seen.labels == 1)), take(seen, np.flatnonzero(seen.labels == 0)), test, known


def _planted_sites(data: PlantedPromoters, test: Sequences) -> list[list[tuple[int, int]]]:
    """Sites of the factors that tell the classes apart, in each positive of the test part."""
    telling = data.truth.sites[data.truth.sites["name"].isin(data.truth.predictive)]
    by_row = {row: list(zip(g["start"], g["end"], strict=True)) for row, g in telling.groupby("sequence")}
    rows = data.rows["test"][test.labels == 1]
    return [by_row.get(int(row), []) for row in rows]


def _of_input(sequences: Sequences) -> Sources:
    if sequences.labels is None:
        sequences = contrast(sequences)
    labels = sequences.labels
    positives, negatives = np.flatnonzero(labels == 1), np.flatnonzero(labels == 0)
    if len(positives) < MIN_INPUT or len(negatives) < MIN_INPUT:
        raise InputError(
            f"motifs need at least {MIN_INPUT} positive and {MIN_INPUT} negative sequences, got {len(positives)} and "
            f"{len(negatives)}: give a larger file"
        )
    test = take(sequences, np.concatenate([positives[1::2], negatives[1::2]]))
    return take(sequences, positives[::2]), take(sequences, negatives[::2]), test, None


def regressions(model: PromoterDetector, data: PromoterData) -> Mapping[str, Tensor]:
    """Probabilities of three logistic regressions for the test part: k-mer counts, bases at positions, both.

    Positions are counted from the sequence's start, so they are tried only where all sequences are of one length.
    """
    train, valid, test = (data.sequences(name) for name in ("train", "valid", "test"))
    strandless = model.strands == "both"
    rows = {"4-6-mer regression": kmer_regression(train, valid, test, canonical=strandless)}
    if len(np.unique(np.concatenate([train.lengths, valid.lengths, test.lengths]))) == 1:
        rows["position regression"] = position_regression(train, valid, test)
        rows["both together"] = combined_regression(train, valid, test, canonical=strandless)
    if train.codes.shape[1] <= 120:
        rows["6-mer regression"] = kmer_regression(train, valid, test, k=(6,), canonical=strandless)
    return {name: torch.as_tensor(probability, dtype=torch.float32) for name, probability in rows.items()}


def without_train_overlap(data: PromoterData) -> Mapping[str, Tensor]:
    """The test sequences that share no 30-mer, on either strand, with a training sequence."""
    shared = shares_kmer(data.sequences("test"), data.sequences("train"))
    return {"no 30-mer shared with training": torch.from_numpy(~shared)}
