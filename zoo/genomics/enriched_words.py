"""Motifs by plain enrichment: what more positives than negatives hold, and no model asked.

The baseline of every motif finder that listens to a model. It is `discover` itself, with whole sequences where that
has seqlets: the most over-represented gapped word (Fisher's test, a sequence counts once), refined into a matrix,
tested on sequences kept apart, erased, and so on. So what attention adds is seen in the difference of two lists that
were made in the same way. What a site looks like is learnt against dinucleotide shuffles of the positives, since the
negatives may hold true sites too, if fewer.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from jaxtyping import Int, UInt8

from zoo.domain.errors import InputError
from zoo.genomics.discover import HELD_OUT, MIN_SITES, motifs_of
from zoo.genomics.merge import Discovery
from zoo.genomics.motifs import UNKNOWN
from zoo.genomics.seqlets import Seqlets
from zoo.genomics.shuffle import dinucleotide_shuffle
from zoo.genomics.windows import Windows, seqlet_windows

MAX_SEQUENCES = 4000  # of each class, drawn at random; more change little but the time
LONGEST_PIECE = 400  # bases; in a longer piece any six letters stand somewhere


def enriched_motifs(
    positive: UInt8[np.ndarray, "n length"],
    negative: UInt8[np.ndarray, "m length_b"],
    stranded: bool = False,
    seed: int = 0,
    max_motifs: int = 25,
) -> tuple[Discovery, ...]:
    """The motifs of the positives, the best supported first; none where chance would do as well.

    positive, negative: codes 0-3, anything else unknown or padding. Sequences are taken as they are; if their
                        lengths differ, or exceed 400, all are cut into pieces of one length, which then count in
                        their stead.
    stranded:           read the strand as written alone.

    As in `zoo.genomics.discover.Discovery`, but `evidence` counts sequences (or pieces), positives against
    negatives, and `sites` lists the best site of each. The same condition: copies of one repeat confirm anything.
    Raises InputError where a class has fewer than 10 sequences.
    """
    if min(len(positive), len(negative)) < MIN_SITES:
        raise InputError(
            f"enrichment needs at least {MIN_SITES} sequences of each class, got {len(positive)} positives and "
            f"{len(negative)} negatives: give more"
        )
    rng = np.random.default_rng(seed)
    rows, rows_negative = (_some(len(codes), rng) for codes in (positive, negative))
    chosen, chosen_negative = np.minimum(positive[rows], UNKNOWN), np.minimum(negative[rows_negative], UNKNOWN)
    size = _piece(chosen, chosen_negative)
    windows = _pieces(chosen, rows, size, stranded)
    controls = _pieces(chosen_negative, len(positive) + rows_negative, size, stranded)
    chance = _pieces(dinucleotide_shuffle(chosen, seed), rows, size, stranded)
    apart = rng.random(len(positive) + len(negative)) < HELD_OUT
    return motifs_of(windows, controls, apart, positive.shape[1], max_motifs, chance)


def _some(num: int, rng: np.random.Generator) -> Int[np.ndarray, " k"]:
    return np.sort(rng.permutation(num)[:MAX_SEQUENCES])


def _piece(positive: np.ndarray, negative: np.ndarray) -> int:
    """One length for all: the sequences' median (their own, where they have one), 400 at most."""
    lengths = np.concatenate([_lengths(positive), _lengths(negative)])
    return int(min(np.median(lengths), LONGEST_PIECE))


def _lengths(codes: np.ndarray) -> Int[np.ndarray, " n"]:
    """Up to the last known base: padding stands at the end."""
    known = codes != UNKNOWN
    return np.where(known.any(1), codes.shape[1] - known[:, ::-1].argmax(1), 0)


def _pieces(codes: np.ndarray, number: np.ndarray, size: int, stranded: bool) -> Windows:
    """Each sequence as consecutive windows of `size` bases; a rest of less than half that size is left out.

    number: what each sequence is called.
    """
    count = np.maximum((_lengths(codes) + size // 2) // size, 1)
    sequence = np.repeat(np.arange(len(codes)), count)
    start = size * np.concatenate([np.arange(n) for n in count])
    codes = np.pad(codes, ((0, 0), (0, size)), constant_values=UNKNOWN)  # the last may hang over the end
    windows = seqlet_windows(codes, Seqlets(sequence, start, start + size, np.ones(len(start)), 0.0), stranded)
    return replace(windows, sequence=number[sequence])
