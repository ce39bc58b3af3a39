"""Planted promoters: JASPAR sites hidden in human-like background, with the truth returned.

Three kinds of evidence are planted, on both strands and anywhere in the sequence:

single  a site that only positives carry;
pair    two sites that make a positive only together, at their spacing (+- 2 bases). Negatives carry the same
        two half as often, at other spacings or alone, so that each by itself says little;
decoy   a site equally frequent in both classes.

Every positive carries at least one single or pair; no negative carries any.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from zoo.domain.errors import InputError
from zoo.genomics.background import HUMAN, markov
from zoo.genomics.jaspar import Reference, load_jaspar
from zoo.genomics.placing import SITE_COLUMNS, Factor, Pair, PlannedSite, Planted, place, together
from zoo.genomics.sequences import Sequences

SINGLES = ("MA0139", "MA0491", "MA0466", "MA0028")  # CTCF, JUND, CEBPB, ELK1
PAIRS = (("MA0148", "MA0112", 10),)  # FOXA1, then 10 bases, then ESR1
DECOYS = ("MA0809", "MA0093")  # TEAD4, USF1

SINGLE_RATE = 0.3  # of each single in a positive, before the empty ones are drawn again
PAIR_RATE = 0.4  # of each pair in a positive, likewise
DECOY_RATE = 0.4  # of each decoy in any sequence
JITTER = 2  # a pair cooperates at its spacing +- this
PAIR_RATE_NEGATIVE = 0.5  # of each partner in a negative, as a share of its rate in positives
MARGIN = 2  # misplaced pairs stay this much further away
FARTHEST = 34  # bases between the sites of a misplaced pair, at most


def plant(
    num_sequences: int = 12000,
    length: int = 150,
    singles: Sequence[str] = SINGLES,
    pairs: Sequence[tuple[str, str, int]] = PAIRS,
    decoys: Sequence[str] = DECOYS,
    release: str = "JASPAR2024",
    shuffle_labels: bool = False,
    seed: int = 0,
) -> Planted:
    """Half positives, half negatives, in random order; the same seed gives the same sequences.

    singles, pairs, decoys: JASPAR matrix ids, of the given release's version ("MA0139") or of one ("MA0139.2").
    shuffle_labels: the control; the very same sequences with their labels permuted, so that nothing is predictive.

    Raises InputError for an unknown release or matrix, or a length that cannot hold all that may be planted.
    """
    if num_sequences < 2:
        raise InputError(f"num_sequences={num_sequences}: at least two are needed, one of each class.")
    if not singles and not pairs:
        raise InputError("Nothing to plant: name at least one matrix in singles or one pair in pairs.")
    known = {key: reference for reference in load_jaspar(release) for key in _keys(reference)}
    lone = [Factor("single", _reference(name, known, release)) for name in singles]
    joint = [tuple(Factor("pair", _reference(name, known, release)) for name in pair[:2]) for pair in pairs]
    mute = [Factor("decoy", _reference(name, known, release)) for name in decoys]
    bonds = [Pair(a.name, b.name, int(pair[2])) for (a, b), pair in zip(joint, pairs, strict=True)]
    factors = tuple({factor.name: factor for factor in [*lone, *sum(joint, ()), *mute]}.values())
    _check_roles([*lone, *mute], sum(joint, ()))
    _check_room(length, [*lone, *mute], joint, bonds)

    draw = np.random.default_rng(seed)
    labels = draw.permutation(np.arange(num_sequences) < num_sequences // 2)
    codes = markov(num_sequences, length, HUMAN, draw)
    carried = _carried(labels, len(lone), len(joint), draw)  # [N, singles + pairs]
    misplaced_rate = PAIR_RATE_NEGATIVE * carried[labels, len(lone) :].mean(axis=0) if joint else ()
    rows = []
    for i in range(num_sequences):
        blocks = [[PlannedSite(0, factor, True)] for factor, there in zip(lone, carried[i], strict=False) if there]
        blocks += [[PlannedSite(0, factor, True)] for factor in mute if draw.random() < DECOY_RATE]
        for j, (both, bond) in enumerate(zip(joint, bonds, strict=True)):
            if carried[i, len(lone) + j]:
                blocks.append(together(both, bond, bond.spacing + int(draw.integers(-JITTER, JITTER + 1)), True))
            elif not labels[i]:
                blocks += _apart(both, bond, misplaced_rate[j], draw)
        rows += place(i, codes[i], blocks, draw)

    if shuffle_labels:
        labels = draw.permutation(labels)
    sequences = Sequences(
        names=tuple(f"planted_{i + 1}" for i in range(num_sequences)),
        codes=codes,
        lengths=np.full(num_sequences, length, dtype=np.int64),
        labels=labels.astype(np.float32),
    )
    sites = pd.DataFrame(rows, columns=SITE_COLUMNS).astype({"spacing": "Int64"})
    predictive = () if shuffle_labels else tuple(factor.name for factor in factors if factor.role != "decoy")
    return Planted(sequences, sites, factors, tuple(bonds), predictive)


def _keys(reference: Reference) -> tuple[str, str]:
    return reference.matrix_id, reference.matrix_id.split(".")[0]


def _reference(name: str, known: dict[str, Reference], release: str) -> Reference:
    if name not in known:
        raise InputError(
            f"{release} has no vertebrate CORE matrix '{name}'; give an id such as MA0139 or MA0139.2, not a name."
        )
    return known[name]


def _check_roles(alone: Sequence[Factor], paired: Sequence[Factor]) -> None:
    names = [factor.name for factor in alone] + sorted({factor.name for factor in paired})
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(f"{', '.join(twice)} is planted in two roles; each factor can have one.")


def _check_room(
    length: int, alone: Sequence[Factor], joint: Sequence[tuple[Factor, ...]], bonds: Sequence[Pair]
) -> None:
    room = sum(len(factor.reference.motif) for factor in [*alone, *sum(joint, ())])
    room += sum(max(FARTHEST, bond.spacing + JITTER) for bond in bonds)
    if room > length:
        raise InputError(
            f"length={length} cannot hold all that may be planted in one sequence: {room} bases are needed."
        )
    for bond in bonds:
        if bond.spacing < JITTER:
            raise InputError(
                f"The spacing of {bond.name} is {bond.spacing}; it varies by {JITTER}, so it must be {JITTER} or more."
            )


def _carried(labels: NDArray[np.bool_], singles: int, pairs: int, draw: np.random.Generator) -> NDArray[np.bool_]:
    """bool [N, singles + pairs]: which predictive elements each positive carries, at least one; negatives none."""
    rates = np.array([SINGLE_RATE] * singles + [PAIR_RATE] * pairs)
    carried = np.zeros((len(labels), len(rates)), dtype=bool)
    empty = labels
    while empty.any():
        carried[empty] = draw.random((int(empty.sum()), len(rates))) < rates
        empty = labels & ~carried.any(axis=1)
    return carried


def _apart(both: tuple[Factor, ...], bond: Pair, rate: float, draw: np.random.Generator) -> list[list[PlannedSite]]:
    """Blocks in which each factor occurs with probability `rate`, half the time with the other, misplaced."""
    ticket = draw.random()
    if ticket < rate / 2:
        near = JITTER + MARGIN
        elsewhere = [gap for gap in range(FARTHEST + 1) if abs(gap - bond.spacing) > near]
        return [together(both, bond, int(draw.choice(elsewhere)), False)]
    if ticket < 3 * rate / 2:
        return [[PlannedSite(0, both[int(ticket >= rate)], True, bond.name)]]
    return []
