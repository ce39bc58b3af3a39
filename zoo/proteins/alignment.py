"""A multiple sequence alignment: one row a sequence, one column a place that they share. N sequences, L columns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8

from zoo.domain.errors import InputError
from zoo.proteins.alphabet import GAP, decode


@dataclass(frozen=True, eq=False)
class Alignment:
    """codes: 0-19 residues, 20 gap. kept: each column's number as read, from 0, where some were taken out. query: the
    letters of the first sequence as read, in all columns; "" where it is of no interest."""

    names: tuple[str, ...]
    codes: UInt8[np.ndarray, "N L"]
    kept: tuple[int, ...]
    query: str = ""

    @classmethod
    def of(cls, names: tuple[str, ...], codes: UInt8[np.ndarray, "N L"], query: str = "") -> Alignment:
        return cls(tuple(names), codes, tuple(range(codes.shape[1])), query)

    @property
    def depth(self) -> int:
        return self.codes.shape[0]

    @property
    def length(self) -> int:
        return self.codes.shape[1]

    def sequence(self, row: int) -> str:
        """A row without its gaps."""
        codes = self.codes[row]
        return decode(codes[codes != GAP])

    def rows(self, chosen: np.ndarray) -> Alignment:
        """Some of the sequences: numbers or booleans."""
        numbers = np.arange(self.depth)[chosen]
        return Alignment(tuple(self.names[i] for i in numbers), self.codes[numbers], self.kept, self.query)

    def columns(self, chosen: np.ndarray) -> Alignment:
        """Some of the columns: numbers or booleans."""
        numbers = np.arange(self.length)[chosen]
        return Alignment(self.names, self.codes[:, numbers], tuple(self.kept[j] for j in numbers), self.query)


def gap_share(alignment: Alignment) -> tuple[Float[np.ndarray, " N"], Float[np.ndarray, " L"]]:
    """The share of gaps in each sequence, and in each column."""
    gaps = alignment.codes == GAP
    return gaps.mean(1), gaps.mean(0)


def without_gappy(
    alignment: Alignment, coverage: float = 0.5, column_gaps: float = 1.0, keep_first: bool = False
) -> Alignment:
    """Sequences that cover at least `coverage` of the columns, in columns with at most `column_gaps` gaps.

    Columns are judged first, among all sequences. keep_first: the first is the query and stays, however gappy. Raises
    InputError where fewer than two sequences or columns stay.
    """
    kept = alignment.columns(gap_share(alignment)[1] <= column_gaps)
    if kept.length < 2:
        raise InputError(
            f"only {kept.length} of {alignment.length} columns have at most {column_gaps:.0%} gaps: allow more"
        )
    enough = gap_share(kept)[0] <= 1 - coverage
    enough[0] |= keep_first
    covered = kept.rows(enough)
    if covered.depth < 2:
        raise InputError(
            f"only {covered.depth} of {alignment.depth} sequences cover {coverage:.0%} of the alignment: ask for less"
        )
    return covered


def subsample(alignment: Alignment, depth: int, seed: int = 0, keep_first: bool = True) -> Alignment:
    """At most `depth` sequences, drawn without replacement, in their order; the first is the query and stays."""
    if alignment.depth <= depth:
        return alignment
    draw = np.random.default_rng(seed).permutation(np.arange(int(keep_first), alignment.depth))
    chosen = draw[: depth - int(keep_first)]
    return alignment.rows(np.sort(np.append(chosen, 0) if keep_first else chosen))
