"""The strict planted library: every factor is equally frequent in both classes, and only pairs tell them apart.

Twenty factors of different families. Each stands in one cooperating pair and in three decoy pairs, all of them drawn
from the seed, with their spacings and orientations. A positive holds at least one cooperating pair at its spacing
(+- 2 bases); a negative holds as many of the same pairs elsewhere. Half of the negatives are far: their pairs stand
further apart than any pair does. The others are strict: each pair stands at the spacing of another, drawn so that all
spacings are as common as in positives. Decoy pairs stand at spacings of their own, in all classes alike. So no factor
and no co-occurrence tells positives from negatives, and against the strict ones no spacing does either: which pair
stands at which spacing must be known. (Crowding tells the far ones, and gives learning its first step: from strict
negatives alone nothing was learnt.) 30 % of the sites are weak.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from zoo.domain.errors import InputError
from zoo.genomics.background import HUMAN, markov
from zoo.genomics.jaspar import load_jaspar
from zoo.genomics.placing import SITE_COLUMNS, Factor, Pair, PlannedSite, Planted, place, together
from zoo.genomics.sequences import Sequences

# JASPAR 2024, 8 to 14 columns, 10 to 21 bits, no two families or consensus words alike
FACTORS = (
    "MA0466", "MA0028", "MA0148", "MA0809", "MA0093", "MA0105", "MA0144", "MA0050", "MA0052", "MA0002",
    "MA0060", "MA0024", "MA0510", "MA0504", "MA0070", "MA0690", "MA1105", "MA0872", "MA0527", "MA1118",
)  # fmt: skip
DECOYS_PER_FACTOR = 3
SPACINGS = range(0, 19, 2)  # bases between the sites of a pair, one for each of ten
FAR = range(24, 51)  # of the pairs in far negatives
STRICT = 0.5  # of the negatives
JITTER, MARGIN = 2, 2  # a pair cooperates at its spacing +- 2; misplaced ones stay 2 more away
WEAK = 0.3  # of the sites
SECOND = 0.5  # of the sequences hold a second cooperating pair, a second decoy pair likewise


def plant_library(
    num_sequences: int = 48000, length: int = 250, shuffle_labels: bool = False, seed: int = 0
) -> Planted:
    """Half positives, half negatives, in random order; the same seed gives the same pairs and sequences.

    shuffle_labels: the control; the same sequences with their labels permuted, so that nothing is predictive.
    Raises InputError for fewer than two sequences, or a length that cannot hold what may be planted.
    """
    if num_sequences < 2:
        raise InputError(f"num_sequences={num_sequences}: at least two are needed, one of each class.")
    known = {r.matrix_id.split(".")[0]: r for r in load_jaspar("JASPAR2024")}
    factors = tuple(Factor("pair", known[name]) for name in FACTORS)
    widest = sorted(len(f.reference.motif) for f in factors)[-8:]
    if length < (room := sum(widest) + 2 * (FAR[-1] + JITTER) + 2 * (SPACINGS[-1] + JITTER)):
        raise InputError(f"length={length} cannot hold what may be planted in one sequence: {room} bases are needed.")

    draw = np.random.default_rng(seed)
    matchings = _matchings(len(factors), 1 + DECOYS_PER_FACTOR, draw)
    bonds = [
        [_bond(factors[a], factors[b], int(spacing), draw) for (a, b), spacing in zip(pairs, apart, strict=True)]
        for pairs, apart in ((pairs, draw.permutation(SPACINGS)) for pairs in matchings)
    ]
    by_name = {factor.name: factor for factor in factors}
    cooperating, decoys = bonds[0], [bond for pairs in bonds[1:] for bond in pairs]

    labels = draw.permutation(np.arange(num_sequences) < num_sequences // 2)
    codes = markov(num_sequences, length, HUMAN, draw)
    misplaced = _exchanged([bond.spacing for bond in cooperating])
    rows = []
    for i in range(num_sequences):
        right, chosen = bool(labels[i]), _some(cooperating, draw)
        if right:
            apart = [bond.spacing for bond in chosen]
        elif draw.random() < STRICT:
            apart = _of_others(chosen, cooperating, misplaced, draw)
        else:
            apart = [int(draw.choice(FAR)) for _ in chosen]
        told = [*zip(chosen, apart, strict=True), *((bond, bond.spacing) for bond in _some(decoys, draw))]
        blocks = [
            _block(bond, by_name, spacing + int(draw.integers(-JITTER, JITTER + 1)), right and n < len(chosen), draw)
            for n, (bond, spacing) in enumerate(told)
        ]
        rows += place(i, codes[i], blocks, draw)

    if shuffle_labels:
        labels = draw.permutation(labels)
    names = tuple(f"planted_{i + 1}" for i in range(num_sequences))
    sequences = Sequences(names, codes, np.full(num_sequences, length, dtype=np.int64), labels.astype(np.float32))
    sites = pd.DataFrame(rows, columns=SITE_COLUMNS).astype({"spacing": "Int64"})
    predictive = () if shuffle_labels else tuple(by_name)
    return Planted(sequences, sites, factors, tuple(cooperating), predictive, tuple(decoys))


def is_strict(planted: Planted) -> NDArray[np.bool_]:
    """[sequences]: which are no far negatives."""
    apart = planted.sites.groupby("sequence").spacing.max()
    return apart.reindex(range(len(planted.sequences))).to_numpy(dtype=float) <= SPACINGS[-1] + JITTER


def _matchings(n: int, rounds: int, draw: np.random.Generator) -> list[NDArray[np.int64]]:
    """`rounds` perfect matchings of n things, no pair in two of them: int [n / 2, 2] each."""
    taken: set[frozenset[int]] = set()
    found: list[NDArray[np.int64]] = []
    while len(found) < rounds:
        pairs = draw.permutation(n).reshape(-1, 2)
        named = {frozenset(pair.tolist()) for pair in pairs}
        if not named & taken:
            taken |= named
            found.append(pairs)
    return found


def _bond(first: Factor, second: Factor, spacing: int, draw: np.random.Generator) -> Pair:
    return Pair(first.name, second.name, spacing, bool(draw.random() < 0.5))


def _some(bonds: Sequence[Pair], draw: np.random.Generator) -> list[Pair]:
    """One of the bonds, or two."""
    return [bonds[i] for i in draw.choice(len(bonds), 1 + int(draw.random() < SECOND), replace=False)]


def _exchanged(spacings: Sequence[int]) -> NDArray[np.float64]:
    """[n, n]: how often each pair is to stand at the spacing of each other, so that every spacing is used as often as
    every pair (Sinkhorn & Knopp 1967); never at one that a jitter might bring too near to its own."""
    own = np.array(spacings)
    shares = (np.abs(own[:, None] - own) > 2 * JITTER + MARGIN).astype(float)
    for _ in range(1000):
        shares /= shares.sum(0)
        shares /= shares.sum(1, keepdims=True)
    return shares


def _of_others(
    chosen: list[Pair], bonds: Sequence[Pair], shares: NDArray[np.float64], draw: np.random.Generator
) -> list[int]:
    """A spacing for each of the chosen pairs, not its own; two pairs have two, as in positives."""
    while True:
        taken = [int(draw.choice(len(bonds), p=shares[bonds.index(bond)])) for bond in chosen]
        if len(set(taken)) == len(taken):
            return [bonds[i].spacing for i in taken]


def _block(
    bond: Pair, by_name: dict[str, Factor], spacing: int, cooperates: bool, draw: np.random.Generator
) -> list[PlannedSite]:
    sites = together((by_name[bond.first], by_name[bond.second]), bond, spacing, cooperates)
    return [replace(site, weak=bool(draw.random() < WEAK)) for site in sites]
