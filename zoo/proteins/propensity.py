"""What a sceptic would try from sequence alone: how far two residues are apart, and which two they are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from zoo.proteins.alphabet import RESIDUES
from zoo.proteins.batch import LEAST_SEPARATION, Example, truth

WIDE = 8  # residues in a bin of separation
PSEUDOCOUNT = 20.0  # contacts that each pair of residues is given at the mean rate


class Propensity:
    """log odds of a contact at a separation, and how much more or less often two kinds of residues touch than their
    separation says (a quasichemical potential: Miyazawa & Jernigan 1985), counted in chains with structures."""

    def __init__(self, examples: Sequence[Example]):
        pairs = [self._pairs(example) for example in examples]
        apart, first, second, touch = (np.concatenate(column) for column in zip(*pairs, strict=True))
        bins = apart // WIDE
        counts = np.bincount(bins), np.bincount(bins, touch)
        rate = (counts[1] + 1) / (counts[0] + 20)
        self.by_separation: Float[np.ndarray, " bins"] = np.log(rate / (1 - rate))
        expected, seen = np.zeros((RESIDUES, RESIDUES)), np.zeros((RESIDUES, RESIDUES))
        np.add.at(expected, (first, second), rate[bins])
        np.add.at(seen, (first, second), touch)
        expected, seen = expected + expected.T, seen + seen.T
        self.by_residues: Float[np.ndarray, "20 20"] = np.log((seen + PSEUDOCOUNT) / (expected + PSEUDOCOUNT))

    @staticmethod
    def _pairs(example: Example) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        codes = example.alignment.codes[0]
        answer = np.triu(truth(example.native, len(codes)) + 1, LEAST_SEPARATION)  # 1 apart, 2 in contact
        i, j = np.nonzero(np.nan_to_num(answer))
        return j - i, codes[i], codes[j], answer[i, j] == 2

    def separation(self, codes: np.ndarray) -> Float[np.ndarray, "L L"]:
        place = np.arange(len(codes))
        bins = np.abs(place[:, None] - place[None]) // WIDE
        return self.by_separation[np.minimum(bins, len(self.by_separation) - 1)]

    def scores(self, codes: np.ndarray) -> Float[np.ndarray, "L L"]:
        return self.separation(codes) + self.by_residues[codes[:, None], codes[None]]
