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
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from zoo.domain.errors import InputError
from zoo.genomics.background import HUMAN, markov
from zoo.genomics.jaspar import Reference, load_jaspar
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

SITE_COLUMNS = ("sequence", "start", "end", "strand", "name", "matrix_id", "role", "pair", "spacing", "cooperates")


@dataclass(frozen=True)
class Factor:
    """A transcription factor that was planted, and as what: "single", "pair" or "decoy"."""

    role: str
    reference: Reference

    @property
    def name(self) -> str:
        return self.reference.name


@dataclass(frozen=True)
class Pair:
    """Two factors (names) that cooperate at `spacing` bases between the end of the first and the second's start."""

    first: str
    second: str
    spacing: int

    @property
    def name(self) -> str:
        return f"{self.first}+{self.second}"


@dataclass(frozen=True, eq=False)
class Planted:
    """Sequences and the whole truth about them.

    sites: one row for each planted site: sequence (row), start, end (0-based, half-open, + strand), strand, name,
           matrix_id, role, pair ("" if none), spacing (<NA> unless both sites of a pair are there), cooperates.
    predictive: names of the factors that tell the classes apart; none where the labels were shuffled.
    """

    sequences: Sequences
    sites: pd.DataFrame
    factors: tuple[Factor, ...]
    pairs: tuple[Pair, ...]
    predictive: tuple[str, ...]


@dataclass(frozen=True)
class _Site:
    """A site inside a block of bases: where it begins, whose it is and how it is read."""

    offset: int
    factor: Factor
    forward: bool
    pair: str = ""
    spacing: int | None = None
    cooperates: bool = False

    @property
    def width(self) -> int:
        return len(self.factor.reference.motif)


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
        blocks = [[_Site(0, factor, True)] for factor, there in zip(lone, carried[i], strict=False) if there]
        blocks += [[_Site(0, factor, True)] for factor in mute if draw.random() < DECOY_RATE]
        for j, (both, bond) in enumerate(zip(joint, bonds, strict=True)):
            if carried[i, len(lone) + j]:
                blocks.append(_together(both, bond, bond.spacing + int(draw.integers(-JITTER, JITTER + 1)), True))
            elif not labels[i]:
                blocks += _apart(both, bond, misplaced_rate[j], draw)
        rows += _place(i, codes[i], blocks, draw)

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


def _together(both: tuple[Factor, ...], bond: Pair, spacing: int, cooperates: bool) -> list[_Site]:
    first = _Site(0, both[0], True, bond.name, spacing, cooperates)
    return [first, _Site(first.width + spacing, both[1], True, bond.name, spacing, cooperates)]


def _apart(both: tuple[Factor, ...], bond: Pair, rate: float, draw: np.random.Generator) -> list[list[_Site]]:
    """Blocks in which each factor occurs with probability `rate`, half the time with the other, misplaced."""
    ticket = draw.random()
    if ticket < rate / 2:
        near = JITTER + MARGIN
        elsewhere = [gap for gap in range(FARTHEST + 1) if abs(gap - bond.spacing) > near]
        return [_together(both, bond, int(draw.choice(elsewhere)), False)]
    if ticket < 3 * rate / 2:
        return [[_Site(0, both[int(ticket >= rate)], True, bond.name)]]
    return []


def _place(row: int, codes: NDArray[np.uint8], blocks: list[list[_Site]], draw: np.random.Generator) -> list[tuple]:
    """Writes the blocks into codes [L], in random order, places and strands, none overlapping; returns the sites."""
    blocks = [_turned(block) if draw.random() < 0.5 else block for block in blocks]
    blocks = [blocks[i] for i in draw.permutation(len(blocks))]
    widths = [block[-1].offset + block[-1].width for block in blocks]
    starts = np.sort(draw.integers(0, len(codes) - sum(widths) + 1, len(blocks)))  # with the blocks squeezed out
    starts += np.concatenate([[0], np.cumsum(widths)[:-1]]).astype(int)[: len(blocks)]
    rows = []
    for start, block in zip(starts, blocks, strict=True):
        for site in block:
            begin, end = int(start) + site.offset, int(start) + site.offset + site.width
            ppm = site.factor.reference.motif.ppm
            bases = (draw.random(site.width)[:, None] >= np.cumsum(ppm, axis=1)[:, :3]).sum(axis=1)
            codes[begin:end] = bases if site.forward else 3 - bases[::-1]
            name, matrix_id = site.factor.name, site.factor.reference.matrix_id
            strand = "+" if site.forward else "-"
            rows.append(
                (row, begin, end, strand, name, matrix_id, site.factor.role, site.pair, site.spacing, site.cooperates)
            )
    return rows


def _turned(block: list[_Site]) -> list[_Site]:
    """The block on the other strand."""
    width = block[-1].offset + block[-1].width
    return [
        replace(site, offset=width - site.offset - site.width, forward=not site.forward) for site in reversed(block)
    ]
