"""From a seed to a motif: align the sites, count, find better sites, until nothing changes.

Hard EM with zero or one site in a window. What counts as a site is settled as in STREME (Bailey 2021): at the
score that tells seqlets from controls best, so a motif takes only what it explains and a mixture stays divided.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from zoo.genomics.motifs import Motif, informative_span
from zoo.genomics.seeds import Seed, log_likelihood_ratio
from zoo.genomics.windows import MAX_WIDTH, BestSites, Windows, best_sites, column_counts

MIN_COLUMN_BITS = 0.25
MAX_CHANCE = 0.2
_ROUNDS = 10
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


def refine(
    seed: Seed, seqlets: Windows, controls: Windows, background: Float[np.ndarray, " 4"]
) -> Candidate | None:
    """The motif that grows from `seed`, or None if it loses its sites on the way."""
    sites = best_sites(seed.weights(), seqlets)
    chosen = (sites.score >= seed.full_score) & distinct(sites, seqlets)
    width, before, candidate = seed.span, None, None
    for _ in range(_ROUNDS):
        if chosen.sum() < 2:
            return None
        motif = aligned(seqlets, sites, chosen, width)
        weights = motif.log_odds(background, _PSEUDOCOUNT)
        sites, control_sites = best_sites(weights, seqlets), best_sites(weights, controls)
        own = distinct(sites, seqlets)
        threshold = best_threshold(sites.score[own], control_sites.score)
        candidate = Candidate(motif, threshold, background)
        chosen = own & (sites.score >= threshold)
        width = len(motif)
        now = (chosen.tobytes(), sites.column[chosen].tobytes())
        if now == before:
            break
        before = now
    return candidate


def aligned(windows: Windows, sites: BestSites, chosen: Bool[np.ndarray, " n"], width: int) -> Motif:
    """Counts of the chosen sites, read out as far as MAX_WIDTH allows on both sides, then trimmed."""
    extra = (MAX_WIDTH - width) // 2
    codes = windows[chosen].codes_at(sites.column[chosen] - extra, width + 2 * extra, sites.minus[chosen])
    counts = column_counts(codes)
    bits = Motif("", counts + 0.25).information  # a column seen in two windows is not worth two bits
    start, end = informative_span(bits, MIN_COLUMN_BITS)
    return Motif("candidate", counts[start:end])


def distinct(sites: BestSites, windows: Windows) -> Bool[np.ndarray, " n"]:
    """True except where the window before, of the same sequence, has already taken the same site.

    Flanks of neighbouring seqlets overlap; counting one site twice would pretend evidence.
    """
    position = windows.start + sites.column
    again = (np.diff(windows.sequence) == 0) & (np.abs(np.diff(position)) <= 2)
    return np.concatenate([[True], ~again])[: len(position)]


def best_threshold(positive: Float[np.ndarray, " n"], negative: Float[np.ndarray, " m"]) -> float:
    """The score at which positives stand out most from negatives, among those where chance (the rate of the
    negatives) explains at most `MAX_CHANCE` of the positives at or above it; infinite if there is none.

    Without the bound a weak cut can win on numbers alone and fill the motif with chance sites.
    """
    scores = np.unique(positive)
    hits_pos = len(positive) - np.searchsorted(np.sort(positive), scores)
    hits_neg = len(negative) - np.searchsorted(np.sort(negative), scores)
    pure = hits_neg / len(negative) <= MAX_CHANCE * hits_pos / len(positive)
    if not pure.any():
        return np.inf
    gain = log_likelihood_ratio(hits_pos, len(positive), hits_neg, len(negative))
    return float(scores[np.where(pure, gain, -np.inf).argmax()])
