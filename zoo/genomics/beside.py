"""Partners at a set distance: what stands beside a motif, too weak to be a motif by itself.

The -35 box of bacterial promoters has three good letters, which any sequence holds by chance; 17 bases before a -10 box
it means something. So around the sites of each confirmed motif, words at set distances are looked for
(`zoo.genomics.flanks`), and a matrix is learnt from each: EM over the places within `REACH` of that distance, where a
partner is or is not (ZOOPS, Bailey & Elkan 1994). After the dyads of van Helden et al. (2000) and SpaMo (Whitington et
al. 2011), which are given words or matrices. Sequences that took no part decide: is the partner commoner at its
distance than at others (Fisher), are both commoner in positives than in negatives (Fisher), and does the logit fall
when it is destroyed (`zoo.genomics.knockout`)?

Axes: n sites of the motif, f columns of its flanks, s = 2 `REACH` + 1 places, w columns of the partner.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8
from numpy.lib.stride_tricks import sliding_window_view

from zoo.genomics.enrichment import fisher_greater
from zoo.genomics.flanks import WORD, Flanks
from zoo.genomics.motifs import BASES, LOOSE_GAP, UNKNOWN, Motif, bits_against, informative_span
from zoo.genomics.refine import MIN_COLUMN_BITS
from zoo.genomics.scan import position_scores

REACH = 2  # bases on either side of the distance
WIDTH = 8  # columns that are learnt, before the ends without information are taken off
MOST = 2  # partners of each motif
MIN_SITES = 30  # of the motif where a partner is learnt
_ROUNDS = 30


@dataclass(frozen=True, eq=False)
class Partner:
    """motif: the partner, read in the direction of `beside`. column: of the flanks, where it begins. letters: base
    frequencies of the flanks. threshold: bits, at which a place is as likely a partner as not,
    in a flank that is no likelier than not to have one."""

    beside: str
    motif: Motif
    column: int
    letters: Float[np.ndarray, " 4"]
    threshold: float

    def scores(self, flanks: Flanks) -> Float[np.ndarray, "n starts"]:
        """Bits; minus infinity where a letter is unknown."""
        scores = position_scores(self.motif.log_odds(self.letters), flanks.codes)
        return np.where(_readable(flanks, len(self.motif)), scores, -np.inf)

    def places(self, flanks: Flanks) -> tuple[Int[np.ndarray, " n"], Float[np.ndarray, " n"]]:
        """The best column within `REACH` of the distance, and its score."""
        first = max(0, self.column - REACH)
        near = self.scores(flanks)[:, first : self.column + REACH + 1]
        best = near.argmax(1)
        return first + best, near[np.arange(len(near)), best]


@dataclass(frozen=True)
class Held:
    """How many of `n` flanks hold the partner at its distance, and how many of `n_elsewhere` equal stretches of the
    same flanks do at other distances."""

    hits: int
    n: int
    hits_elsewhere: int
    n_elsewhere: int

    @classmethod
    def of(cls, partner: Partner, flanks: Flanks) -> Held:
        width = len(partner.motif)
        over = partner.scores(flanks) >= partner.threshold
        readable = _readable(flanks, width)
        size, hits, n = 2 * REACH + 1, 0, 0
        for first in range(0, over.shape[1] - size + 1, size):
            if abs(first + REACH - partner.column) < width + size:
                continue
            whole = readable[:, first : first + size].all(1)
            hits, n = hits + int(over[whole, first : first + size].any(1).sum()), n + int(whole.sum())
        return cls(int((partner.places(flanks)[1] >= partner.threshold).sum()), len(flanks), hits, n)

    @property
    def pvalue(self) -> float:
        return float(fisher_greater(self.hits, self.n, self.hits_elsewhere, self.n_elsewhere)) if self.n else 1.0


def _readable(flanks: Flanks, width: int) -> Bool[np.ndarray, "n starts"]:
    return (sliding_window_view(flanks.codes, width, axis=1) != UNKNOWN).all(2)


def learn_partners(name: str, flanks: Flanks) -> list[Partner]:
    """What stands at a set distance from the motif called `name`, the surest first; untested."""
    if len(flanks) < MIN_SITES:
        return []
    letters = np.bincount(flanks.codes[flanks.codes != UNKNOWN], minlength=4)[:4] + 1.0
    found = (_learnt(name, flanks, column, word, letters / letters.sum()) for column, word in flanks.set_words(MOST))
    return [partner for partner in found if partner is not None]


def _learnt(name: str, flanks: Flanks, column: int, word: str, letters: Float[np.ndarray, " 4"]) -> Partner | None:
    """EM from the word; None if it loses its sites on the way."""
    first = int(np.clip(column - (WIDTH - WORD) // 2, REACH, flanks.codes.shape[1] - WIDTH - REACH))
    places = _at(flanks.codes, first)
    odds = np.zeros((WIDTH, 5))  # unknown letters say nothing
    for i, letter in enumerate(word, column - first):
        odds[i, :4] = np.log(np.where(np.arange(4) == BASES.index(letter), 0.7, 0.1) / letters)
    share = 0.3  # of the flanks that have a partner
    for _ in range(_ROUNDS):
        weight = share / places.shape[1] * np.exp(odds[np.arange(WIDTH), places].sum(-1))
        weight /= (weight.sum(1) + 1 - share)[:, None]
        share = float(np.clip(weight.sum(1).mean(), 1e-6, 1 - 1e-6))
        counts = np.stack([(weight[..., None] * (places == base)).sum((0, 1)) for base in range(4)], axis=1)
        odds[:, :4] = np.log((counts + letters) / (counts.sum(1, keepdims=True) + 1) / letters)
    begin, end = informative_span(bits_against(counts, letters), MIN_COLUMN_BITS)
    motif = Motif("partner", counts[begin:end])
    if share * len(flanks) < MIN_SITES / 3 or flanks.spacing(first + begin, end - begin) < LOOSE_GAP:
        return None
    threshold = float(np.log2(places.shape[1] * max(1.0, (1 - share) / share)))
    return Partner(name, motif.renamed(motif.consensus), first + begin, letters, threshold)


def _at(codes: UInt8[np.ndarray, "n f"], first: int) -> UInt8[np.ndarray, "n s w"]:
    return sliding_window_view(codes, WIDTH, axis=1)[:, first - REACH : first + REACH + 1].copy()
