"""Where motifs occur in sequences: both strands, log-odds against a background, exact p-values.

FIMO's statistics (Grant, Bailey & Noble 2011) with the background of the sequences at hand. memelite's `fimo` has
uniform bases built in, under which every GC-rich promoter is full of SP1; with uniform bases ours equals it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8

from zoo.domain.errors import InputError
from zoo.genomics.motifs import UNIFORM, UNKNOWN, Motif, Sites, spell
from zoo.genomics.sequences import reverse_complement

_BIN = 0.01  # bits; p-values are exact for scores rounded to this


def base_frequencies(codes: UInt8[np.ndarray, "n length"]) -> Float[np.ndarray, " 4"]:
    """Frequencies of A, C, G, T over both strands (so A = T and C = G), with one pseudocount each."""
    counts = np.bincount(codes.ravel(), minlength=5)[:4] + 1.0
    counts = counts + counts[::-1]
    return counts / counts.sum()


def position_scores(
    weights: Float[np.ndarray, "width 4"], codes: UInt8[np.ndarray, "n length"]
) -> Float[np.ndarray, "n length-width+1"]:
    """Sum over the columns j of weights[j, base at i + j], for every start i; N counts as the worst base.

    Four columns are looked up at once, in a table of 5^4 sums.
    """
    n, length = codes.shape
    width = len(weights)
    if length < width:
        return np.zeros((n, 0), np.float32)
    padded = np.full((n, length + 3), UNKNOWN, np.int16)
    padded[:, :length] = codes
    words = ((padded[:, :-3] * 5 + padded[:, 1:-2]) * 5 + padded[:, 2:-1]) * 5 + padded[:, 3:]
    columns = np.zeros((-(-width // 4) * 4, 5), np.float32)
    columns[:width, :4] = weights
    columns[:width, UNKNOWN] = weights.min(1)
    scores = np.zeros((n, length - width + 1), np.float32)
    for j in range(0, width, 4):
        a, b, c, d = columns[j : j + 4]
        table = (a[:, None, None, None] + b[:, None, None] + c[:, None] + d).ravel()
        scores += table[words[:, j : j + scores.shape[1]]]
    return scores


def strand_scores(
    weights: Float[np.ndarray, "width 4"], codes: UInt8[np.ndarray, "n length"], stranded: bool = False
) -> Float[np.ndarray, "strands n length-width+1"]:
    """`position_scores` of the motif and, unless `stranded`, of its reverse complement."""
    read = [weights] if stranded else [weights, weights[::-1, ::-1]]
    return np.stack([position_scores(w, codes) for w in read])


@dataclass(frozen=True, eq=False)
class ScoreTail:
    """P(score >= s) of a random site, for every rounded score s."""

    lowest: int  # the first entry's score, in units of _BIN
    tail: Float[np.ndarray, " n_scores"]

    def pvalue(self, scores: Float[np.ndarray, "*n"]) -> Float[np.ndarray, "*n"]:
        index = np.rint(np.asarray(scores, float) / _BIN).astype(int) - self.lowest
        return self.tail[np.clip(index, 0, len(self.tail) - 1)]

    def score(self, pvalue: float) -> float:
        """The lowest score whose p-value is at most `pvalue`; infinite if even the best site's is higher."""
        good = self.tail <= pvalue
        return (self.lowest + int(np.argmax(good))) * _BIN if good.any() else np.inf


def gridded(weights: Float[np.ndarray, "width 4"]) -> Float[np.ndarray, "width 4"]:
    """Weights rounded to the p-values' grid. Scores must come from these: otherwise a sum rounds to the bin above
    its own, and misses its own chance (seen: p-values too small by 1.7)."""
    return np.rint(weights / _BIN) * _BIN


def score_tail(weights: Float[np.ndarray, "width 4"], background: Float[np.ndarray, " 4"]) -> ScoreTail:
    """Distribution of a random site's score, by dynamic programming over columns (Staden 1989)."""
    steps = np.rint(weights / _BIN).astype(int)
    mass = np.ones(1)
    for step in steps:
        shift = step - step.min()
        grown = np.zeros(len(mass) + shift.max())
        for base in range(4):
            grown[shift[base] : shift[base] + len(mass)] += background[base] * mass
        mass = grown
    tail = np.minimum(np.cumsum(mass[::-1])[::-1], 1.0)
    return ScoreTail(int(steps.min(1).sum()), tail)


CHANCE = 0.05  # sites that a random sequence may hold of one motif, on average


def site_threshold(length: float, stranded: bool, chance: float = CHANCE) -> float:
    """The p-value at which a random sequence of `length` bases holds `chance` sites: 1.7e-4 for 150 bases read on both
    strands. A fixed one would call more chance than sites in long sequences, and miss weak sites in short ones."""
    return chance / max(1.0, length * (1 if stranded else 2))


def scan(
    motifs: Sequence[Motif],
    codes: UInt8[np.ndarray, "n length"],
    background: Float[np.ndarray, " 4"] = UNIFORM,
    threshold: float = 1e-4,
    stranded: bool = False,
) -> Sites:
    """Every place where a motif's p-value is at most `threshold`, on either strand, or as written if `stranded`.

    Of a motif too short for such a p-value (six columns, at best 4^-6) the highest-scoring words are the sites.
    background: base frequencies (`base_frequencies` of the scanned or of control sequences). Windows that touch
    N or padding are not sites. A palindrome is reported once, on the strand that scores higher (+ if equal). The
    p-value is that of one position on one strand of independent bases: expect 2 * length * p sites by chance, and
    more where the sequence is not independent (CpG islands, repeats): `zoo.genomics.enrichment` is the test to trust.
    """
    _check_distinct(motifs)
    return Sites.concatenate(_scan_one(motif, codes, background, threshold, stranded) for motif in motifs)


def _scan_one(motif: Motif, codes: np.ndarray, background: np.ndarray, threshold: float, stranded: bool) -> Sites:
    width, weights = len(motif), gridded(motif.log_odds(background))
    tail = score_tail(weights, background)
    threshold = max(threshold, float(tail.tail[-1]))
    strands = strand_scores(weights, codes, stranded)
    strands[:, _touches_unknown(codes, width)] = -np.inf
    minus = strands[-1] > strands[0] + 1e-4
    best = np.where(minus, strands[-1], strands[0])
    sequence, start = np.nonzero(best >= tail.score(threshold) - _BIN)
    score, minus = best[sequence, start].astype(float), minus[sequence, start]
    pvalue = tail.pvalue(score)
    kept = pvalue <= threshold
    sequence, start, score, minus, pvalue = (x[kept] for x in (sequence, start, score, minus, pvalue))
    words = codes[sequence[:, None], start[:, None] + np.arange(width)].astype(np.uint8)
    words[minus] = reverse_complement(words[minus])
    strand = tuple(np.where(minus, "-", "+").tolist())
    return Sites((motif.name,) * len(start), sequence, start, start + width, strand, score, pvalue, spell(words))


def _touches_unknown(codes: np.ndarray, width: int) -> np.ndarray:
    """True at the starts of windows that hold an N: [n, length - width + 1]."""
    seen = np.pad(np.cumsum(codes == UNKNOWN, axis=1), ((0, 0), (1, 0)))
    return (seen[:, width:] - seen[:, :-width]) > 0


def _check_distinct(motifs: Sequence[Motif]) -> None:
    names = [motif.name for motif in motifs]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise InputError(f"motif names must be distinct, but {', '.join(repeated)} occurs more than once.")
