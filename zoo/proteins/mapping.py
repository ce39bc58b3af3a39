"""Which residue of a structure stands in which column of an alignment."""

from __future__ import annotations

import itertools
from collections import Counter

import numpy as np
from Bio.Align import PairwiseAligner, substitution_matrices
from jaxtyping import Int

from zoo.domain.errors import InputError
from zoo.proteins.alignment import Alignment
from zoo.proteins.alphabet import GAP
from zoo.proteins.structure import Chain

WORD = 3
CANDIDATES = 8  # rows compared by alignment, after all were compared by shared words
LEAST_COVERAGE = 0.5  # of the shorter of the two
MOST_EXPECTED = 1e-3  # alignments as good, among all rows, by chance
LAMBDA, K = 0.267, 0.041  # of BLOSUM62 with gaps of 11 and 1 (Altschul & Gish 1996, as in BLAST)


def place_of_columns(alignment: Alignment, chain: Chain) -> Int[np.ndarray, " L"]:
    """The residue (its number from 0 in `chain.sequence`) of each column, -1 for none.

    The chain is aligned (BLOSUM62, local) to the row that it is most alike, the first row if as good as any, and stands
    where that row's residues stand. Raises InputError where no row is like it: where chance would give as good an
    alignment to one of so many rows. Residues where that row has a gap: see `_filled`.
    """
    best_row, best = 0, None
    for row in _most_alike(alignment, chain.sequence):
        found = _aligned(alignment.sequence(row), chain.sequence)
        if best is None or found[0] > best[0]:
            best_row, best = row, found
    score, pairs = best
    sequence = alignment.sequence(best_row)
    expected = K * len(sequence) * len(chain) * np.exp(-LAMBDA * score) * alignment.depth
    if len(pairs) < LEAST_COVERAGE * min(len(sequence), len(chain)) or expected > MOST_EXPECTED:
        same = sum(sequence[i] == chain.sequence[j] for i, j in pairs)
        raise InputError(
            f"the structure {chain.name} does not match the alignment: of its {len(chain)} residues {len(pairs)} align "
            f"to the nearest sequence and {same} are the same; give the structure of a member of the family"
        )
    column_of = np.flatnonzero(alignment.codes[best_row] != GAP)
    place = np.full(alignment.length, -1)
    for in_row, in_chain in pairs:
        place[column_of[in_row]] = in_chain
    return _filled(place)


def _filled(place: Int[np.ndarray, " L"]) -> Int[np.ndarray, " L"]:
    """Where the row has a gap and as many residues of the chain as columns lie between two that have a place, each
    column has its own; where the numbers differ, nobody knows which, and they stay without."""
    place = place.copy()
    for before, after in itertools.pairwise(np.flatnonzero(place >= 0)):
        if after - before == place[after] - place[before]:
            place[before : after + 1] = np.arange(place[before], place[after] + 1)
    return place


def _most_alike(alignment: Alignment, sequence: str) -> list[int]:
    """The first row, and those that share most words of three residues with `sequence`."""
    words = _words(sequence)
    shared = [sum((words & _words(alignment.sequence(row))).values()) for row in range(alignment.depth)]
    order = np.argsort(np.negative(shared), kind="stable")[:CANDIDATES].tolist()
    return list(dict.fromkeys([0, *order]))


def _words(sequence: str) -> Counter[str]:
    return Counter(sequence[i : i + WORD] for i in range(len(sequence) - WORD + 1))


def _aligned(first: str, second: str) -> tuple[float, list[tuple[int, int]]]:
    """The score, and the aligned pairs."""
    aligner = PairwiseAligner(mode="local", open_gap_score=-11, extend_gap_score=-1)
    aligner.substitution_matrix = substitution_matrices.load("BLOSUM62")
    if not first or not second:
        return 0.0, []
    found = aligner.align(first, second)
    if len(found) == 0:
        return 0.0, []
    pairs = [
        (i, j)
        for (i0, i1), (j0, j1) in zip(*found[0].aligned, strict=True)
        for i, j in zip(range(i0, i1), range(j0, j1), strict=True)
    ]
    return found[0].score, pairs
