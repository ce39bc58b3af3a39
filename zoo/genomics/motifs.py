"""Motifs and the places where they occur: the two records that the rest of genomics speaks in.

Letters are codes: 0 A, 1 C, 2 G, 3 T; 4 is N or padding. The complement of a base is `3 - code`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from jaxtyping import Float, Int, UInt8

from zoo.domain.errors import InputError

BASES = "ACGT"
UNKNOWN = 4  # N, or padding
UNIFORM = np.full(4, 0.25)

# One letter for every non-empty set of bases; the key counts A as 1, C as 2, G as 4, T as 8.
_IUPAC = dict(zip(range(1, 16), "ACMGRSVTWYHKDBN", strict=True))


@dataclass(frozen=True, eq=False)
class Motif:
    """A position frequency matrix: how often each base was seen in each column of the aligned sites.

    counts: [width, 4] in the order A, C, G, T; not negative; fractions (weighted sites, probabilities)
            are allowed. A column of zeros means that nothing is known, hence a uniform column.
    """

    name: str
    counts: Float[np.ndarray, "width 4"]

    def __post_init__(self) -> None:
        counts = np.array(self.counts, dtype=float)
        if counts.ndim != 2 or counts.shape[1] != 4 or len(counts) == 0:
            raise InputError(
                f"motif {self.name!r}: the counts have shape {counts.shape}; expected [width, 4], one row for"
                " each position and one column for each of A, C, G, T. Transpose a [4, width] matrix."
            )
        if not np.isfinite(counts).all() or (counts < 0).any():
            raise InputError(f"motif {self.name!r}: the counts hold negative or non-finite numbers.")
        counts.setflags(write=False)
        object.__setattr__(self, "counts", counts)

    def __len__(self) -> int:
        return len(self.counts)

    @property
    def n_sites(self) -> float:
        """Weight of the sites behind the motif: the largest column sum."""
        return float(self.counts.sum(1).max())

    @cached_property
    def ppm(self) -> Float[np.ndarray, "width 4"]:
        """Position probability matrix, without pseudocount; every row sums to 1."""
        total = self.counts.sum(1, keepdims=True)
        return np.where(total > 0, self.counts / np.where(total > 0, total, 1), 0.25)

    @cached_property
    def information(self) -> Float[np.ndarray, " width"]:
        """Bits in each column relative to uniform bases, 2 + sum_b p_b log2 p_b (Schneider & Stephens 1990)."""
        p = self.ppm
        bits = 2 + (p * np.log2(np.where(p > 0, p, 1))).sum(1)
        return np.clip(bits, 0, 2)

    @property
    def total_information(self) -> float:
        """Bits in the whole motif."""
        return float(self.information.sum())

    @property
    def consensus(self) -> str:
        """IUPAC consensus by the rule of Cavener (1987), as TRANSFAC and Biopython have it.

        One base if it exceeds 1/2 and twice the second; else two if together they exceed 3/4;
        else three if the fourth never occurs; else N.
        """
        letters = []
        for p in self.ppm:
            order = np.argsort(-p, kind="stable")
            first, second, third, fourth = p[order]
            if first > 0.5 and first > 2 * second:
                kept = order[:1]
            elif first + second > 0.75:
                kept = order[:2]
            elif fourth == 0 and third > 0:
                kept = order[:3]
            else:
                kept = order
            letters.append(_IUPAC[int((1 << kept).sum())])
        return "".join(letters)

    def renamed(self, name: str) -> Motif:
        return Motif(name, self.counts)

    def reverse_complement(self) -> Motif:
        """The same motif, read on the other strand."""
        return Motif(self.name, self.counts[::-1, ::-1])

    @cached_property
    def palindromic(self) -> bool:
        """Reads alike on both strands (cosine above .8), at most two bases out of place: what it lies on is chance."""
        return any(self._likeness(self.reverse_complement(), shift) > 0.8 for shift in range(3))

    def _likeness(self, other: Motif, shift: int) -> float:
        """Cosine of the columns, less 1/4, the best of both directions of the shift."""
        if shift >= len(self):
            return 0.0
        mine, its = self.ppm - 0.25, other.ppm - 0.25
        overlaps = ((mine[shift:], its[: len(its) - shift]), (mine[: len(mine) - shift], its[shift:]))
        whole = float((mine * mine).sum())
        return max(float((a * b).sum()) for a, b in overlaps) / whole if whole else 0.0

    def log_odds(
        self, background: Float[np.ndarray, " 4"] = UNIFORM, pseudocount: float = 0.5
    ) -> Float[np.ndarray, "width 4"]:
        """log2(p / background) in bits. `pseudocount` is counted in sites and spread as the background."""
        total = self.counts.sum(1, keepdims=True)
        p = (self.counts + pseudocount * background) / (total + pseudocount)
        return np.log2(p / background)


def bits_against(
    counts: Float[np.ndarray, "width 4"], background: Float[np.ndarray, " 4"]
) -> Float[np.ndarray, " width"]:
    """Relative entropy of each column to `background`, bits, less what chance gives a column of that many sites:
    3 / (2 ln 2 n) (the small-sample correction of Schneider et al. 1986). Not below zero."""
    n = counts.sum(1)
    p = (counts + 0.25) / (n[:, None] + 1)
    bits = (p * np.log2(p / background)).sum(1) - 3 / (2 * np.log(2) * (n + 1))
    return np.maximum(bits, 0)


LOOSE_GAP = (
    4  # columns; the spacers inside one motif (AP-1 1, estrogen receptor 3) are shorter, p53-like ones are longer
)
HALF_SITE_BITS = 6.0  # three certain bases, as in GTCA or TGACC with a loose letter; a neighbour's blur has 1 or 2


def informative_span(bits: Float[np.ndarray, " width"], min_bits: float) -> tuple[int, int]:
    """(start, end) from the first to after the last column with at least `min_bits`.

    An end that `LOOSE_GAP` columns without information part from the rest belongs to the motif only if it could be
    a half-site: at least `HALF_SITE_BITS`. Else it is a neighbour's blur, and its gap would add noise to every score.
    """
    bits = np.asarray(bits)
    kept = np.flatnonzero(bits >= min(min_bits, bits.max()))
    islands = np.split(kept, np.flatnonzero(np.diff(kept) - 1 > LOOSE_GAP) + 1)
    while len(islands) > 1:
        weakest = min((0, -1), key=lambda end: bits[islands[end]].sum())
        if bits[islands[weakest]].sum() >= HALF_SITE_BITS:
            break
        islands.pop(weakest)
    return int(islands[0][0]), int(islands[-1][-1]) + 1


def core_span(bits: Float[np.ndarray, " width"], least: float) -> tuple[int, int]:
    """(start, end) of the stretch with most information beyond `least` a column (the maximal segment, Bentley 1984).

    A partner that stands at changing distances blurs what lies beside a motif, a few tenths of a bit in each column
    however many sites there are; halves of one motif are worth the gap between them.
    """
    total = np.concatenate([[0.0], np.cumsum(np.asarray(bits) - least)])
    gain = total[1:] - np.minimum.accumulate(total)[:-1]
    end = int(gain.argmax()) + 1
    return int(total[:end].argmin()), end


@dataclass(frozen=True, eq=False)
class Sites:
    """Occurrences of motifs, as columns of equal length. Coordinates are 0-based, half-open, on the + strand."""

    motif: tuple[str, ...]
    sequence: Int[np.ndarray, " n"]  # row of the sequence
    start: Int[np.ndarray, " n"]
    end: Int[np.ndarray, " n"]
    strand: tuple[str, ...]  # "+" or "-"
    score: Float[np.ndarray, " n"]  # log-odds, bits
    pvalue: Float[np.ndarray, " n"]  # of one position on one strand, not corrected for their number
    matched: tuple[str, ...]  # the bases, read in the motif's direction

    def __len__(self) -> int:
        return len(self.sequence)

    def __getitem__(self, index) -> Sites:
        """The sites at `index`, integers or a boolean mask."""
        index = np.asarray(index)
        rows = np.flatnonzero(index) if index.dtype == bool else index

        def at(column):
            return tuple(column[i] for i in rows) if isinstance(column, tuple) else column[rows]

        return Sites(**{name: at(getattr(self, name)) for name in self.__dataclass_fields__})

    def frame(self) -> pd.DataFrame:
        """One row for each site."""
        return pd.DataFrame({name: getattr(self, name) for name in self.__dataclass_fields__})

    @classmethod
    def concatenate(cls, parts: Iterable[Sites]) -> Sites:
        """All sites of several records, in order."""
        parts = list(parts)

        def column(name: str, dtype: type) -> np.ndarray:
            return np.concatenate([np.zeros(0, dtype), *(getattr(p, name) for p in parts)]).astype(dtype)

        def labels(name: str) -> tuple[str, ...]:
            return tuple(label for p in parts for label in getattr(p, name))

        return cls(
            motif=labels("motif"),
            sequence=column("sequence", int),
            start=column("start", int),
            end=column("end", int),
            strand=labels("strand"),
            score=column("score", float),
            pvalue=column("pvalue", float),
            matched=labels("matched"),
        )


_LETTERS = np.frombuffer(b"ACGTN", dtype="S1")


def spell(codes: UInt8[np.ndarray, "n length"]) -> tuple[str, ...]:
    """The strings of ACGTN behind rows of codes."""
    codes = np.ascontiguousarray(codes)
    if codes.size == 0:
        return ("",) * len(codes)
    return tuple(word.decode() for word in _LETTERS[codes].view(f"S{codes.shape[1]}").ravel())
