"""Seqlets: the short stretches of a sequence that a model's evidence is concentrated on.

The word and the idea are TF-MoDISco's (Shrikumar et al. 2018, arXiv:1811.00416); the null is ours and simpler.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy.lib.stride_tricks import sliding_window_view

from zoo.domain.errors import InputError


@dataclass(frozen=True, eq=False)
class Seqlets:
    """Windows of high evidence, as columns of equal length; 0-based, half-open.

    score:     mean evidence in the window, in units of the track's own mean magnitude.
    threshold: what a score had to reach (infinite where no threshold keeps the false discovery rate).
    """

    sequence: Int[np.ndarray, " n"]
    start: Int[np.ndarray, " n"]
    end: Int[np.ndarray, " n"]
    score: Float[np.ndarray, " n"]
    threshold: float

    def __len__(self) -> int:
        return len(self.sequence)


def find_seqlets(
    scores: Float[np.ndarray, "n length"],
    valid: Bool[np.ndarray, "n length"],
    width: int = 11,
    max_per_sequence: int = 5,
    fdr: float = 0.2,
    seed: int = 0,
) -> Seqlets:
    """The non-overlapping windows whose mean evidence is higher than scattered evidence would make it.

    scores: evidence of each base; higher means more.
    valid:  True where there is a base, False for padding (padding may lie at either end).

    Each track is divided by its mean magnitude, so that a sequence the model is very sure of (whose gradient
    is flat) counts as much as any other. Windows of `width` bases are averaged, and the highest are taken
    greedily so that none overlap, `max_per_sequence` at most. **Threshold**: the same is done with every
    track's values permuted among its own valid positions, which keeps the values and destroys their
    clustering; the threshold is the lowest score at which the permuted tracks yield at most `fdr` times as many
    windows as the real ones. If no score does, there are no seqlets. Since the seqlets' own high values,
    scattered, make that null too hard, it is drawn again from the values outside the seqlets found so far,
    until no more are found (three times at most).

    The rule says that evidence is clustered, not that it is a motif: a smooth track is clustered too.
    `zoo.genomics.discover` tests what the windows hold, so some false ones do little harm.
    """
    scores = np.asarray(scores, dtype=float)
    if scores.shape != valid.shape or scores.ndim != 2:
        raise InputError(f"scores {scores.shape} and valid {valid.shape} must have the same shape [sequences, length].")
    if not np.isfinite(scores[valid]).all():
        raise InputError("the scores hold NaN or infinite values at valid positions.")
    tracks = _unit_tracks(scores, valid)
    if width > scores.shape[1]:
        return Seqlets(*(np.zeros(0, int),) * 3, np.zeros(0), np.inf)
    rng = np.random.default_rng(seed)
    sequence, start, score = _peaks(tracks, valid, width, max_per_sequence)
    outside, threshold = valid, np.inf
    for _ in range(3):
        null = _peaks(_permute_within(tracks, outside, rng), valid, width, max_per_sequence)[2]
        lower = min(threshold, fdr_threshold(score, null, fdr))
        if lower == threshold:
            break
        threshold = lower
        outside = valid & ~_covered(valid.shape, sequence[score >= threshold], start[score >= threshold], width)
    kept = np.flatnonzero(score >= threshold)
    kept = kept[np.lexsort((start[kept], sequence[kept]))]
    return Seqlets(sequence[kept], start[kept], start[kept] + width, score[kept], threshold)


def fdr_threshold(score: Float[np.ndarray, " n"], null: Float[np.ndarray, " m"], fdr: float) -> float:
    """The lowest observed score t with (1 + #{null >= t}) / #{score >= t} <= fdr, infinite if there is none.

    The 1 keeps the estimate from being zero for lack of permutations (Barber & Candes 2015, knockoff+).
    """
    candidates = np.sort(score)
    if len(candidates) == 0:
        return np.inf
    observed_above = len(candidates) - np.searchsorted(candidates, candidates, side="left")
    null_above = len(null) - np.searchsorted(np.sort(null), candidates, side="left")
    good = (1 + null_above) / observed_above <= fdr
    return float(candidates[np.argmax(good)]) if good.any() else np.inf


def _unit_tracks(scores: np.ndarray, valid: np.ndarray) -> np.ndarray:
    tracks = np.where(valid, scores, 0.0)
    magnitude = np.abs(tracks).sum(1) / np.maximum(valid.sum(1), 1)
    return tracks / np.where(magnitude > 0, magnitude, 1)[:, None]


def _permute_within(tracks: np.ndarray, valid: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Every row's values shuffled among its own valid positions; the others get values drawn from the valid."""
    order = np.argsort(np.where(valid, rng.random(tracks.shape), 2.0), axis=1)  # valid columns first, shuffled
    count = np.maximum(valid.sum(1, keepdims=True), 1)
    rank = np.where(valid, np.cumsum(valid, axis=1) - 1, rng.integers(1 << 30, size=tracks.shape) % count)
    return np.take_along_axis(tracks, np.take_along_axis(order, rank, 1), 1)


def _covered(shape: tuple[int, int], sequence: np.ndarray, start: np.ndarray, width: int) -> np.ndarray:
    """True at the bases of the windows."""
    covered = np.zeros(shape, bool)
    covered[sequence[:, None], start[:, None] + np.arange(width)] = True
    return covered


def _peaks(tracks: np.ndarray, valid: np.ndarray, width: int, most: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(sequence, start, mean) of up to `most` non-overlapping windows of each row, highest first, above zero."""
    whole = sliding_window_view(valid, width, axis=1).all(-1)
    total = np.pad(np.cumsum(tracks, axis=1), ((0, 0), (1, 0)))
    means = np.where(whole, (total[:, width:] - total[:, :-width]) / width, -np.inf)
    rows, columns = np.arange(len(means)), np.arange(means.shape[1])
    found = []
    for _ in range(most):
        best = means.argmax(1)
        height = means[rows, best]
        positive = height > 1e-9
        if not positive.any():
            break
        found.append((rows[positive], best[positive], height[positive]))
        means[np.abs(columns - best[:, None]) < width] = -np.inf
    if not found:
        return np.zeros(0, int), np.zeros(0, int), np.zeros(0)
    return tuple(np.concatenate(part) for part in zip(*found, strict=True))
