"""Promoters and peaks for training: planted, from a data set card, or from a person's own files."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from Bio.Data.IUPACData import ambiguous_dna_values

from zoo.domain.cards import load_card
from zoo.domain.data import PARTS, DomainData
from zoo.domain.download import fetch, not_here
from zoo.domain.errors import InputError
from zoo.domain.insight import Insight
from zoo.genomics.audit import audit
from zoo.genomics.batch import SequenceSet, collate
from zoo.genomics.folds import fold_problems, folded
from zoo.genomics.library import plant_library
from zoo.genomics.negatives import MADE, contrast, warn_of_unchanged
from zoo.genomics.own_files import OwnFiles, own_file_problems
from zoo.genomics.placing import Planted
from zoo.genomics.planted import plant
from zoo.genomics.reading import read_sequences
from zoo.genomics.sequences import Sequences, take
from zoo.genomics.split import SPLIT_SEED, homology_split

FRACTIONS = (0.8, 0.1, 0.1)  # train, valid, test


class PromoterData(DomainData):
    """What the three sources share.

    known_site: IUPAC letters of a site that is known to matter, if any; the insight then tells how often each kind of
    evidence lands on it. first: train and validate on so many sequences of the training part alone (debug=overfit).
    fold: hold out this fifth of the training and validation parts in place of the test part (`zoo.genomics.folds`).
    """

    collate = staticmethod(collate)

    def __init__(
        self,
        batch_size: int = 64,
        num_workers: int = 0,
        seed: int = 0,
        known_site: str | None = None,
        first: int | None = None,
        fold: int | None = None,
    ):
        super().__init__(batch_size, num_workers, seed)
        self.known_site, self.first, self.fold = known_site, first, fold

    def sequences(self, part: str) -> Sequences:
        return self.part(part).sequences

    def parts(self) -> Mapping[str, SequenceSet]:
        read = dict(self.read())
        if self.fold is not None:
            read = folded(read, self.fold)
        # Not before: a positive and its own shuffle in two parts would teach what the other part must not say.
        bare = [name for name, part in read.items() if part.labels is None]
        read = {name: self.with_negatives(part, SPLIT_SEED + i) for i, (name, part) in enumerate(read.items())}
        warn_of_unchanged([read[name] for name in bare])
        if self.first is not None:
            rows = np.unique(np.linspace(0, len(read["train"]) - 1, self.first).astype(int))  # both classes, if sorted
            read["train"] = read["valid"] = take(read["train"], rows)
        return {name: SequenceSet(sequences) for name, sequences in read.items()}

    def audit(self) -> Insight:
        return audit(*(self.sequences(part) for part in PARTS))

    def with_negatives(self, part: Sequences, seed: int) -> Sequences:
        """Positives alone get negatives made from them."""
        return part if part.labels is not None else contrast(part, MADE[self.made](part, seed))

    @property
    def made(self) -> str:
        """How negatives are made where there are none (`zoo.genomics.negatives`)."""
        return "shuffled"

    @abstractmethod
    def read(self) -> Mapping[str, Sequences]:
        """Sequences for "train", "valid" and "test": labelled, or positives without a label."""


def site_problems(known_site: str | None) -> list[str]:
    letters = set((known_site or "A").upper()) - set(ambiguous_dna_values)
    return [f"known_site={known_site}: expected IUPAC letters such as TGASTCA"] if letters else []


class PlantedPromoters(PromoterData):
    """Generated promoters with known sites: no download, and the answer is known (`zoo.genomics.planted`)."""

    generator = staticmethod(plant)

    def __init__(
        self,
        num_sequences: int = 12000,
        length: int = 150,
        shuffle_labels: bool = False,
        batch_size: int = 64,
        num_workers: int = 0,
        seed: int = 0,
        first: int | None = None,
    ):
        super().__init__(batch_size, num_workers, seed, first=first)
        self.num_sequences, self.length, self.shuffle_labels = num_sequences, length, shuffle_labels
        self.truth: Planted | None = None

    def read(self) -> Mapping[str, Sequences]:
        self.truth = self.generator(
            num_sequences=self.num_sequences, length=self.length, seed=self.seed, shuffle_labels=self.shuffle_labels
        )
        order = np.random.default_rng(self.seed).permutation(self.num_sequences)
        cuts = np.cumsum([int(f * self.num_sequences) for f in FRACTIONS[:2]])
        self.rows = dict(zip(("train", "valid", "test"), np.split(order, cuts), strict=True))
        return {name: take(self.truth.sequences, rows) for name, rows in self.rows.items()}


class PlantedLibrary(PlantedPromoters):
    """The strict library: only the spacing of pairs tells the classes apart (`zoo.genomics.library`)."""

    generator = staticmethod(plant_library)


class CardPromoters(PromoterData):
    """A real data set, named by its card.

    files: the file of each part ("train", "valid", "test"), or of each class ("positives" and, where the set has
    them, "negatives"), which are then split so that sequences that share a 30-mer stay in one part.
    negatives: "given", or how to make others from the positives (`zoo.genomics.negatives`), without the traps of the
    given ones.
    """

    def __init__(
        self,
        card: str,
        files: Mapping[str, str],
        negatives: Literal["given", "shuffled", "partly_shuffled"] = "given",
        known_site: str | None = None,
        batch_size: int = 64,
        num_workers: int = 0,
        seed: int = 0,
        first: int | None = None,
        fold: int | None = None,
    ):
        super().__init__(batch_size, num_workers, seed, known_site, first, fold)
        self.card, self.files, self.negatives = card, dict(files), negatives

    @classmethod
    def problems(cls, card: str, files: Mapping[str, str], negatives: str = "given", **arguments: Any) -> list[str]:
        if wrong := super().problems(**arguments) + fold_problems(arguments.get("fold")):
            return wrong
        try:
            load_card(card)
        except InputError as error:
            return [str(error)]
        if wrong := site_problems(arguments.get("known_site")):
            return wrong
        if set(files) not in (set(PARTS), {"positives"}, {"positives", "negatives"}):
            return [f"files={dict(files)}: expected train, valid and test, or positives with or without negatives"]
        if negatives == "given" and set(files) == {"positives"}:
            return [f"negatives=given: {card} has positives alone; give one of {', '.join(MADE)}"]
        return not_here(card)

    def read(self) -> Mapping[str, Sequences]:
        folder = fetch(load_card(self.card))
        if "positives" in self.files:
            read = {name: read_sequences(folder / file, labelled=False) for name, file in self.files.items()}
            given = self.negatives == "given"
            return into_parts(contrast(*read.values()) if given else unlabelled(read["positives"]), self.card)
        parts = {name: read_sequences(folder / file, labelled=True) for name, file in self.files.items()}
        if self.negatives == "given":
            return parts
        return {name: unlabelled(take(s, np.flatnonzero(s.labels == 1))) for name, s in parts.items()}

    @property
    def made(self) -> str:
        return self.negatives


def unlabelled(sequences: Sequences) -> Sequences:
    return replace(sequences, labels=None)


def into_parts(everything: Sequences, source: str) -> dict[str, Sequences]:
    """Sequences as train, valid and test, those that share a 30-mer in one of them; alike for every seed."""
    rows = homology_split(everything, FRACTIONS, seed=SPLIT_SEED)
    parts = dict(zip(PARTS, (take(everything, r) for r in rows), strict=True))
    for name, part in parts.items():
        if everything.labels is not None and len(np.unique(part.labels)) < 2:
            raise InputError(
                f"the {name} part of {source} came out with one class only ({len(part)} of "
                f"{len(everything)} sequences): give more sequences, or less similar ones"
            )
    return parts


class OwnSequences(PromoterData):
    """A person's own sequences.

    positives: FASTA (plain or gzip), one sequence a line, a table with columns `sequence` and `label` that holds both
    classes, or BED with its `genome`. negatives: a second such file, or how they are made: `shuffled` (also where there
    are none and no labels), `partly_shuffled` (`zoo.genomics.negatives`) or, for BED, `gc_matched` windows of the
    genome. genome: FASTA, indexed at the first use. width: bases around the summits or centres; else all of them.
    Sequences that share a 30-mer stay in one part (`zoo.genomics.split`).
    """

    files = ("positives", "negatives", "genome")
    not_files = (*MADE, "gc_matched")

    def __init__(
        self,
        positives: str,
        negatives: str | None = None,
        genome: str | None = None,
        width: int | None = None,
        known_site: str | None = None,
        batch_size: int = 64,
        num_workers: int = 0,
        seed: int = 0,
        first: int | None = None,
        fold: int | None = None,
    ):
        super().__init__(batch_size, num_workers, seed, known_site, first, fold)
        self.positives, self.negatives, self.genome, self.width = positives, negatives, genome, width

    @classmethod
    def problems(
        cls,
        positives: str,
        negatives: str | None = None,
        genome: str | None = None,
        width: int | None = None,
        **arguments: Any,
    ) -> list[str]:
        return [
            *super().problems(**arguments),
            *own_file_problems(positives, negatives, genome, width, cls.not_files),
            *site_problems(arguments.get("known_site")),
            *fold_problems(arguments.get("fold")),
        ]

    def read(self) -> Mapping[str, Sequences]:
        own = OwnFiles(self.genome, self.width)
        given = own.positives(self.positives)
        if given.labels is not None and self.negatives is not None:
            raise InputError(
                f"{self.positives} has labels of its own and negatives={self.negatives} was given too: give one of them"
            )
        if given.labels is not None:
            everything = own.read(self.positives, labelled=True)
        elif self.negatives == "gc_matched":
            everything = contrast(given, own.gc_matched(self.positives, given, SPLIT_SEED))
        elif self.negatives is None or self.negatives in MADE:
            everything = unlabelled(given)
        else:
            everything = contrast(given, own.read(self.negatives, labelled=False))
        return into_parts(everything, self.positives)

    @property
    def made(self) -> str:
        return self.negatives or super().made
