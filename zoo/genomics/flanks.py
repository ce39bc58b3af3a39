"""What lies before and after a motif's sites, read in its direction, and which words stand there at a set distance.

Axes: n sites, f columns (the flank before, the motif, the flank after), starts: where a word or a motif may begin.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int, UInt8
from scipy.stats import poisson

from zoo.genomics.motifs import BASES, LOOSE_GAP, UNKNOWN, Sites
from zoo.genomics.sequences import reverse_complement
from zoo.genomics.spacing import MAX_SPACING, near

WORD = 4  # letters
SLACK = 1  # bases on either side that count as the same distance
PVALUE = 0.05  # after Bonferroni over all words and distances
APART = 8  # columns between two distances that are looked at
NEARBY = 20  # columns on either side, whose words are the ones to compare with: composition changes along a promoter


@dataclass(frozen=True, eq=False)
class Flanks:
    """codes: [n, f]; the motif itself, its other sites, unknown bases and what lies beyond the sequence are `UNKNOWN`.
    sites: those in the middle, one of each sequence."""

    codes: UInt8[np.ndarray, "n f"]
    sites: Sites

    @classmethod
    def around(cls, sites: Sites, codes: UInt8[np.ndarray, "N L"]) -> Flanks:
        """Around the best site of each sequence. sites: of one motif, at least one."""
        best = _best_of_each_sequence(sites)
        hidden, width = codes.copy(), int(sites.end[0] - sites.start[0])
        hidden[sites.sequence[:, None], sites.start[:, None] + np.arange(width)] = UNKNOWN
        padded = np.pad(hidden, ((0, 0), (MAX_SPACING, MAX_SPACING)), constant_values=UNKNOWN)
        flanks = padded[best.sequence[:, None], best.start[:, None] + np.arange(2 * MAX_SPACING + width)]
        minus = np.array([strand == "-" for strand in best.strand], dtype=bool)
        flanks[minus] = reverse_complement(flanks[minus])
        return cls(flanks, best)

    def __len__(self) -> int:
        return len(self.codes)

    @property
    def width(self) -> int:
        """Of the motif in the middle."""
        return self.codes.shape[1] - 2 * MAX_SPACING

    def spacing(self, column: int, width: int) -> int:
        """Bases between the motif and what begins at a column; below zero where they overlap."""
        return max(MAX_SPACING - column - width, column - MAX_SPACING - self.width)

    def starts(self, columns: Int[np.ndarray, " n"], width: int) -> Int[np.ndarray, " n"]:
        """Where in its sequence lies what begins at a column of its flank, `width` long."""
        before = columns - MAX_SPACING
        minus = np.array([strand == "-" for strand in self.sites.strand], dtype=bool)
        return self.sites.start + np.where(minus, self.width - before - width, before)

    def set_words(self, most: int, first: int, last: int) -> list[tuple[int, str]]:
        """(column, word) of the words that stand at one distance more often than nearby, the surest first: of each
        distance the surest, and none nearer than `LOOSE_GAP` to the motif, whose own ends lie there. first, last: the
        columns that are looked at, `last` among them."""
        words = _words(self.codes)
        known = words >= 0
        counts = np.zeros((4**WORD, words.shape[1]))
        np.add.at(counts, (words[known], np.nonzero(known)[1]), 1)
        valid = known.sum(0).astype(float)
        seen, around = (np.stack([near(row, reach) for row in counts]) for reach in (SLACK, NEARBY))
        expected = (around + 1) / np.maximum(near(valid, NEARBY), 1) * near(valid, SLACK)
        p = np.minimum(1.0, poisson.sf(seen - 1, expected) * seen.size)
        found: list[tuple[int, str]] = []
        for column in np.argsort(p.min(0), kind="stable").tolist():
            if p[:, column].min() > PVALUE or len(found) == most:
                break
            if self.spacing(column, WORD) >= LOOSE_GAP and all(abs(column - other) > APART for other, _ in found):
                # of the columns that count as this distance, the one where most of them stand
                word = int(p[:, column].argmin())
                there = slice(max(0, column - SLACK), column + SLACK + 1)
                place = there.start + int(counts[word, there].argmax())
                if first <= place <= last:
                    found.append((place, _spelled(word)))
        return found


def _words(codes: UInt8[np.ndarray, "n f"]) -> Int[np.ndarray, "n starts"]:
    """The number of the word that begins at each column; -1 where it holds an unknown letter."""
    starts = codes.shape[1] - WORD + 1
    letters = np.stack([codes[:, i : i + starts].astype(int) for i in range(WORD)])
    number = (letters * 4 ** np.arange(WORD)[:, None, None]).sum(0)
    return np.where((letters == UNKNOWN).any(0), -1, number)


def _spelled(word: int) -> str:
    return "".join(BASES[(word // 4**i) % 4] for i in range(WORD))


def _best_of_each_sequence(sites: Sites) -> Sites:
    order = np.lexsort((sites.pvalue, sites.sequence))
    return sites[order[np.unique(sites.sequence[order], return_index=True)[1]]]
