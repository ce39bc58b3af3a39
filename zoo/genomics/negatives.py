"""What positives are compared with: sequences given by the person, or made from the positives.

shuffled          each positive with its dinucleotides in another order: composition stays, every motif goes.
partly_shuffled   each positive with 8 of its 20 segments kept and the bases of the others permuted, segment by
                  segment (after DeePromoter, Oubounyt et al. 2019, doi:10.3389/fgene.2019.00286): harder, since
                  negatives keep some of the motifs, all at their places.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from zoo.domain.errors import InputError
from zoo.genomics.sequences import PAD, Sequences, join, labelled
from zoo.genomics.shuffle import shuffle

SEGMENTS, KEPT = 20, 8
SHORTEST = 60  # bases: segments of three


def shuffled_negatives(positives: Sequences, seed: int) -> Sequences:
    """One dinucleotide-shuffled copy of each positive, in the same order, of class 0."""
    renamed = replace(positives, names=tuple(f"{name}_shuffled" for name in positives.names))
    return labelled(shuffle(renamed, seed), 0.0)


def partly_shuffled_negatives(positives: Sequences, seed: int) -> Sequences:
    """One copy of each positive, in the same order, of class 0, in which 12 of 20 segments are permuted.

    Raises InputError where sequences are so short that hardly a segment has bases to permute.
    """
    if len(positives) and (short := int(positives.lengths.min())) < SHORTEST:
        raise InputError(
            f"negatives=partly_shuffled: a sequence of {short} bases has segments of {max(1, short // SEGMENTS)}; "
            f"{SHORTEST} bases are needed, or negatives=shuffled"
        )
    names = tuple(f"{name}_partly_shuffled" for name in positives.names)
    codes = partly_shuffled(positives.codes, positives.lengths, seed)
    return labelled(replace(positives, names=names, codes=codes), 0.0)


def partly_shuffled(codes: NDArray[np.uint8], lengths: NDArray[np.int64], seed: int) -> NDArray[np.uint8]:
    """codes [N, L] -> [N, L]: each segment (a twentieth of the sequence) kept, or its bases permuted."""
    draw = np.random.default_rng(seed)
    place = np.arange(codes.shape[1])
    segment = np.minimum(place * SEGMENTS // np.maximum(lengths[:, None], 1), SEGMENTS)  # [N, L]; SEGMENTS: padding
    order = draw.random((len(codes), SEGMENTS)).argsort(axis=1).argsort(axis=1)
    kept = np.pad(order < KEPT, ((0, 0), (0, 1)), constant_values=True)
    stays = np.take_along_axis(kept, segment, axis=1) | (codes == PAD)
    within = np.where(stays, place / max(1, codes.shape[1]), draw.random(codes.shape))
    return np.take_along_axis(codes, np.argsort(segment + within, axis=1, kind="stable"), axis=1)


MADE: dict[str, Callable[[Sequences, int], Sequences]] = {
    "shuffled": shuffled_negatives,
    "partly_shuffled": partly_shuffled_negatives,
}


def warn_of_unchanged(parts: Sequence[Sequences]) -> None:
    """One warning, where copies came out as the positives that they were made of. parts: positives, then as many copies
    in the same order."""
    halves = [np.split(part.codes, 2) for part in parts]
    unchanged, made = sum(int((a == b).all(1).sum()) for a, b in halves), sum(len(b) for _, b in halves)
    if unchanged:
        warnings.warn(
            f"{unchanged:,} of {made:,} negatives are the positives that they were shuffled from, for these are too "
            "short or too repetitive to be shuffled: leave them out, or give negatives",
            stacklevel=2,
        )


def contrast(positives: Sequences, negatives: Sequences | None = None, seed: int = 0) -> Sequences:
    """Positives (class 1), then negatives (class 0): the given ones, or dinucleotide-shuffled positives.

    Any labels the two files carried are replaced. Raises InputError where either class would be empty.
    """
    if len(positives) == 0 or (negatives is not None and len(negatives) == 0):
        raise InputError("Both classes need at least one sequence.")
    others = shuffled_negatives(positives, seed) if negatives is None else labelled(negatives, 0.0)
    return join(labelled(positives, 1.0), others)
