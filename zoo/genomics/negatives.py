"""What positives are compared with: sequences given by the person, or shuffled from the positives."""

from __future__ import annotations

from dataclasses import replace

from zoo.domain.errors import InputError
from zoo.genomics.sequences import Sequences, join, labelled
from zoo.genomics.shuffle import shuffle


def shuffled_negatives(positives: Sequences, seed: int) -> Sequences:
    """One dinucleotide-shuffled copy of each positive, in the same order, of class 0."""
    renamed = replace(positives, names=tuple(f"{name}_shuffled" for name in positives.names))
    return labelled(shuffle(renamed, seed), 0.0)


def contrast(positives: Sequences, negatives: Sequences | None = None, seed: int = 0) -> Sequences:
    """Positives (class 1), then negatives (class 0): the given ones, or dinucleotide-shuffled positives.

    Any labels the two files carried are replaced. Raises InputError where either class would be empty.
    """
    if len(positives) == 0 or (negatives is not None and len(negatives) == 0):
        raise InputError("Both classes need at least one sequence.")
    others = shuffled_negatives(positives, seed) if negatives is None else labelled(negatives, 0.0)
    return join(labelled(positives, 1.0), others)
