"""All that was found out about one model's motifs, before any of it is put into words and pictures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from zoo.genomics.attribution import Attention
from zoo.genomics.beside_tests import Beside
from zoo.genomics.confirmed import Confirmed
from zoo.genomics.cooperation import Cooperation
from zoo.genomics.core_elements import CoreElements
from zoo.genomics.jaspar import Reference
from zoo.genomics.motifs import Sites

LEAST_AUROC = 0.55  # a model that tells the classes apart less says nothing of them, whatever it looks at


@dataclass(frozen=True)
class Origin:
    """Where motifs were looked for, and what they were tested on."""

    found_in: str = "the training and validation positives"
    tested_on: str = "the test sequences"


@dataclass(frozen=True, eq=False)
class Tested:
    """The test sequences of each class, the motifs' sites in them, and the evidence in the positives.

    Unknown bases and padding are one code, 4, as `zoo.genomics.motifs` wants them; `lengths` tells them apart.
    """

    positive: np.ndarray
    negative: np.ndarray
    positive_lengths: np.ndarray
    names: tuple[str, ...]  # of the positives
    sites: Sites
    sites_negative: Sites
    sites_shuffled: Sites  # in dinucleotide shuffles of the positives
    seen: Attention
    seen_negative: Attention
    letters: np.ndarray  # base frequencies


@dataclass(frozen=True, eq=False)
class Findings:
    """motifs: of the positives; against: of the negatives, which lower the logit. together: the pairs of motifs.
    beside: what stands at a set distance from one. elements: JASPAR's core promoter elements, of anchored sequences.
    covered: how often evidence lands on known sites. planted, planted_pairs: the known answer beside what was found."""

    motifs: list[Confirmed]
    against: list[Confirmed]
    references: list[Reference]
    num_seqlets: int
    tested: Tested
    together: Cooperation
    beside: list[Beside]
    elements: CoreElements | None
    covered: pd.DataFrame | None
    planted: pd.DataFrame | None
    planted_pairs: pd.DataFrame | None
    origin: Origin
    auroc: float  # of the model, on the test sequences
    jaspar: str = "vertebrates"  # whose matrices the motifs were compared with

    @property
    def confirmed(self) -> list[Confirmed]:
        return [r for r in self.motifs if r.confirmed]
