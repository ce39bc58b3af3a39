"""From a seed to a motif: align the sites, count, find better sites, until nothing changes.

EM with zero or one site in a window (ZOOPS, Bailey & Elkan 1994), with one change: how likely a score is to be a
true site is not computed from a model of independent bases but read off the controls (the local false discovery
rate of Efron 2001, made monotone). What real sequence holds anyway, poly-A or CpG islands, thus earns nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from sklearn.isotonic import IsotonicRegression

from zoo.genomics.mixture import larger_half
from zoo.genomics.motifs import Motif, bits_against, informative_span
from zoo.genomics.seeds import Seed
from zoo.genomics.windows import MAX_WIDTH, BestSites, Windows, best_sites, column_counts

MIN_COLUMN_BITS = 0.1
LOCAL_FDR = 0.5  # a place this likely to be chance is no longer called a site
_ROUNDS = 15
_SPLITS = 3  # times that a motif may turn out to be two
_PSEUDOCOUNT = 1.0


@dataclass(frozen=True, eq=False)
class Candidate:
    """A motif with the score, in bits against `background`, from which on a place is one of its sites."""

    motif: Motif
    threshold: float
    background: Float[np.ndarray, " 4"]

    @property
    def weights(self) -> Float[np.ndarray, "width 4"]:
        return self.motif.log_odds(self.background, _PSEUDOCOUNT)


def refine(seed: Seed, seqlets: Windows, controls: Windows, background: Float[np.ndarray, " 4"]) -> Candidate | None:
    """The motif that grows from `seed`, or None if it loses its sites on the way."""
    sites = best_sites(seed.weights(), seqlets)
    weight = ((sites.score >= seed.full_score) & distinct(sites, seqlets)).astype(float)
    found = _converged(sites, weight, seed.span, seqlets, controls, background)
    for _ in range(_SPLITS):
        if found is None or (larger := _larger_half(*found, seqlets)) is None:
            break
        motif, sites, weight = found
        seqlets = seqlets[larger]
        found = _converged(sites[larger], weight[larger], len(motif), seqlets, controls, background)
    if found is None:
        return None
    motif, sites, weight = found
    true = weight >= 1 - LOCAL_FDR
    return Candidate(motif, float(sites.score[true].min()), background) if true.any() else None


def _converged(
    sites: BestSites,
    weight: Float[np.ndarray, " n"],
    width: int,
    seqlets: Windows,
    controls: Windows,
    background: Float[np.ndarray, " 4"],
) -> tuple[Motif, BestSites, Float[np.ndarray, " n"]] | None:
    for _ in range(_ROUNDS):
        if weight.sum() < 2:
            return None
        motif = aligned(seqlets, sites, weight, width, background)
        before = weight
        sites, weight = weighted_sites(motif.log_odds(background, _PSEUDOCOUNT), seqlets, controls)
        width = len(motif)
        if np.abs(weight - before).mean() < 1e-4:
            break
    return None if weight.sum() < 2 else (motif, sites, weight)


def _larger_half(
    motif: Motif, sites: BestSites, weight: Float[np.ndarray, " n"], seqlets: Windows
) -> Bool[np.ndarray, " n"] | None:
    """Which windows to keep for the larger of two motifs that were aligned as one; None if it is one."""
    used = np.flatnonzero(weight > 0.01)
    codes = seqlets[used].codes_at(sites.column[used], len(motif), sites.minus[used])
    share = larger_half(codes, weight[used])
    if share is None:
        return None
    keep = np.ones(len(seqlets), bool)
    keep[used[share < 0.5]] = False
    return keep


def weighted_sites(
    weights: Float[np.ndarray, "width 4"], seqlets: Windows, controls: Windows
) -> tuple[BestSites, Float[np.ndarray, " n"]]:
    """Each seqlet's best site, and the probability that it is a true one (0 if another window has it)."""
    sites = best_sites(weights, seqlets)
    own = distinct(sites, seqlets)
    share = true_share(sites.score, own, best_sites(weights, controls).score)
    return sites, np.where(own, share, 0.0)


def true_share(
    score: Float[np.ndarray, " n"], own: Bool[np.ndarray, " n"], control: Float[np.ndarray, " m"]
) -> Float[np.ndarray, " n"]:
    """1 - local false discovery rate of each seqlet's score.

    Of the seqlets with a score near s, chance explains as many as the controls have there, scaled to equal
    numbers. P(seqlet | s) comes from an isotonic regression of the pooled labels on the score.
    """
    pooled = np.concatenate([score[own], control])
    label = np.repeat([1.0, 0.0], [own.sum(), len(control)])
    fit = IsotonicRegression(y_min=0.0, y_max=1 - 1e-6, out_of_bounds="clip").fit(pooled, label)
    p = np.maximum(fit.predict(score), 1e-6)
    return np.maximum(0.0, 1 - own.sum() / len(control) * (1 - p) / p)


def aligned(
    windows: Windows,
    sites: BestSites,
    weight: Float[np.ndarray, " n"],
    width: int,
    background: Float[np.ndarray, " 4"],
) -> Motif:
    """Weighted counts of the sites, read out as far as MAX_WIDTH allows on both sides, then trimmed."""
    extra = (MAX_WIDTH - width) // 2
    used = np.flatnonzero(weight > 0.01)
    codes = windows[used].codes_at(sites.column[used] - extra, width + 2 * extra, sites.minus[used])
    counts = column_counts(codes, weight[used])
    start, end = informative_span(bits_against(counts, background), MIN_COLUMN_BITS)
    return Motif("candidate", counts[start:end])


def distinct(sites: BestSites, windows: Windows) -> Bool[np.ndarray, " n"]:
    """True except where the window before, of the same sequence, has already taken the same site.

    Flanks of neighbouring seqlets overlap; counting one site twice would pretend evidence.
    """
    position = windows.start + sites.column
    again = (np.diff(windows.sequence) == 0) & (np.abs(np.diff(position)) <= 2)
    return np.concatenate([[True], ~again])[: len(position)]
