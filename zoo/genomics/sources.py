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
from zoo.genomics.batch import SequenceSet
from zoo.genomics.data import PlantedPromoters, PromoterData
from zoo.genomics.evidence import known_sites
from zoo.genomics.findings import Origin
from zoo.genomics.insight import explain, find
from zoo.genomics.negatives import contrast
from zoo.genomics.sequences import Sequences, join, take
from zoo.genomics.split import shared_kmer_clusters, shares_kmer

if TYPE_CHECKING:
    from zoo.genomics.model import PromoterDetector

MIN_INPUT = 10  # sequences; fewer hold no statistics


def explained(model: PromoterDetector, data: pl.LightningDataModule | DataLoader) -> Insight:
    """Motifs found on the training and validation positives and tested on the test part; or, of a person's file,
    found on every other sequence and tested on the rest (against shuffled copies where it has no negatives)."""
    if isinstance(data, DataLoader):
        if not isinstance(data.dataset, SequenceSet):
            raise InputError("motifs are looked for in sequences, not in variants: score those with `zoo predict`")
        own = Origin("the positives in one half of the file", "the other half")
        given = _of_input(data.dataset.sequences)
        return explain(model, find(model, *given, origin=own), given[2])
    planted = data.truth if isinstance(data, PlantedPromoters) else None
    given = _of_parts(data)
    return explain(model, find(model, *given, planted=planted), given[2])


Sources = tuple[Sequences, Sequences, Sequences, list | None]


def _of_parts(data: PromoterData) -> Sources:
    """The test part without the sequences that share a 30-mer with those in which motifs are looked for: copies of one
    repeat on both sides would confirm anything."""
    seen = join(data.sequences("train"), data.sequences("valid"))
    whole = data.sequences("test")
    apart = np.flatnonzero(~shares_kmer(whole, seen))
    test = take(whole, apart)
    known = None
    if isinstance(data, PlantedPromoters):
        known = _planted_sites(data, apart[test.labels == 1])
    elif data.known_site:
        known = known_sites(take(test, np.flatnonzero(test.labels == 1)).strings(), data.known_site)
    return _enough(
        take(seen, np.flatnonzero(seen.labels == 1)), take(seen, np.flatnonzero(seen.labels == 0)), test, known
    )


def _planted_sites(data: PlantedPromoters, rows: np.ndarray) -> list[list[tuple[int, int]]]:
    """Sites of the factors that tell the classes apart, in the given rows of the test part."""
    telling = data.truth.sites[data.truth.sites["name"].isin(data.truth.predictive)]
    by_row = {row: list(zip(g["start"], g["end"], strict=True)) for row, g in telling.groupby("sequence")}
    return [by_row.get(int(row), []) for row in data.rows["test"][rows]]


def _of_input(sequences: Sequences) -> Sources:
    """Sequences that share a 30-mer, neighbouring peaks say, go to the same half."""
    if sequences.labels is None or (sequences.labels == 1).all():
        sequences = contrast(sequences)
    cluster = shared_kmer_clusters(sequences)
    order = np.argsort(np.random.default_rng(0).permutation(cluster.max() + 1))[cluster]
    second = order % 2 == 1
    positive = sequences.labels == 1
    return _enough(
        take(sequences, np.flatnonzero(positive & ~second)),
        take(sequences, np.flatnonzero(~positive & ~second)),
        take(sequences, np.flatnonzero(second)),
        None,
    )


def _enough(discovery: Sequences, background: Sequences, test: Sequences, known: list | None) -> Sources:
    counts = (len(discovery), int((test.labels == 1).sum()), int((test.labels == 0).sum()))
    if min(counts) < MIN_INPUT:
        raise InputError(
            f"motifs need at least {MIN_INPUT} positives to look in and {MIN_INPUT} unrelated sequences of each class "
            f"to test on, got {counts[0]}, {counts[1]} and {counts[2]}: give more sequences"
        )
    return discovery, background, test, known


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
