"""Copies: sequences that stand in two parts, or in both classes, and what can be had by remembering them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from zoo.genomics.sequences import PAD, Sequences, join, reverse_complement
from zoo.genomics.split import kmers

SHARED = 30  # bases


@dataclass(frozen=True, eq=False)
class Copies:
    """Shares are of the held-out sequences; strands count as one.

    identical:   a training sequence is the same.
    related:     a training sequence has `SHARED` bases in common.
    conflicting: of all sequences: the same one stands in both classes.
    remembered:  P(class 1) of each held-out sequence: the share of class 1 among the training sequences that hold its
                 30-mers, and the training part's own share where none does.
    """

    identical: float
    related: float
    conflicting: float
    remembered: Float[np.ndarray, " m"]


def copies(train: Sequences, held_out: Sequences) -> Copies:
    """train and held_out: labelled."""
    words, seen = _distinct_words(train, held_out)
    everything = join(train, held_out)
    whole = _keys(everything)
    in_train = set(whole[: len(train)])
    positive = {key for key, label in zip(whole, everything.labels, strict=True) if label == 1}
    negative = {key for key, label in zip(whole, everything.labels, strict=True) if label == 0}
    return Copies(
        identical=float(np.mean([key in in_train for key in whole[len(train) :]])),
        related=float(seen.mean()),
        conflicting=float(np.mean([key in positive and key in negative for key in whole])),
        remembered=words,
    )


def _keys(sequences: Sequences) -> list[bytes]:
    """The same for a sequence and its reverse complement, and for no other."""
    other = reverse_complement(sequences.codes)
    pairs = zip(sequences.codes, other, strict=True)
    return [min(a[a != PAD].tobytes(), b[b != PAD].tobytes()) for a, b in pairs]


def _distinct_words(train: Sequences, held_out: Sequences) -> tuple[Float[np.ndarray, " m"], Bool[np.ndarray, " m"]]:
    """(remembered, whether any word of the sequence was seen)."""
    number, real = kmers(train.codes, SHARED)
    label = np.broadcast_to(train.labels[:, None], number.shape)[real]
    words, place = np.unique(number[real], return_inverse=True)
    share = np.bincount(place, label, len(words)) / np.maximum(np.bincount(place, minlength=len(words)), 1)
    number, real = kmers(held_out.codes, SHARED)
    if len(words) == 0 or number.shape[1] == 0:
        return np.full(len(held_out), float(train.labels.mean())), np.zeros(len(held_out), bool)
    at = np.minimum(np.searchsorted(words, number), len(words) - 1)
    hit = real & (words[at] == number)
    total = hit.sum(1)
    mean = np.where(hit, share[at], 0).sum(1) / np.maximum(total, 1)
    return np.where(total > 0, mean, train.labels.mean()), total > 0
