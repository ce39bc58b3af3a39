"""Partners at a set distance: what stands beside a motif, too weak to be a motif by itself.

The -35 box of bacterial promoters has three good letters, which any sequence holds by chance; 17 bases before a -10 box
it means something. So around the sites of each confirmed motif, words at set distances are looked for
(`zoo.genomics.flanks`), and a matrix is learnt from each: EM over the places within `REACH` of that distance, where a
partner is or is not (ZOOPS, Bailey & Elkan 1994). After the dyads of van Helden et al. (2000) and SpaMo (Whitington et
al. 2011), which are given words or matrices. Sequences that took no part decide: is the partner commoner at its
distance than nearer to the motif and than farther from it (Fisher), are both commoner in positives than in negatives
(Fisher), and does the logit fall when it is destroyed (`zoo.genomics.knockout`)?

Axes: n sites of the motif, f columns of its flanks, s = 2 `REACH` + 1 places, w columns of the partner.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8
from numpy.lib.stride_tricks import sliding_window_view

from zoo.genomics.enrichment import fisher_greater
from zoo.genomics.flanks import WORD, Flanks
from zoo.genomics.merge import align
from zoo.genomics.motifs import BASES, LOOSE_GAP, UNKNOWN, Motif, bits_against, informative_span
from zoo.genomics.refine import MIN_COLUMN_BITS
from zoo.genomics.scan import position_scores
from zoo.genomics.spacing import MAX_SPACING

REACH = 2  # bases on either side of the distance
WIDTH = 8  # columns that are learnt, before the ends without information are taken off
LEAD = (WIDTH - WORD) // 2  # of these before the word
MIN_BITS = 2.5  # over the flanks' own letters; less is composition, which changes along a sequence
MOST = 2  # partners of each motif
MIN_SITES = 30  # of the motif where a partner is learnt
_ROUNDS = 30


@dataclass(frozen=True, eq=False)
class Partner:
    """motif: the partner, read in the direction of `beside`. column: of the flanks, where it begins. letters: base
    frequencies of the flanks. threshold: bits, at which a place is as likely a partner as not, in a flank that is no
    likelier than not to have one."""

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
    """How many of `n` flanks hold the partner at its distance; and of those with room for it, how many do in the next
    stretch of as many places nearer to the motif, and in the next one farther from it (no base is read for both)."""

    hits: int
    n: int
    nearer: tuple[int, int]  # with the partner, of all
    farther: tuple[int, int]

    @classmethod
    def of(cls, partner: Partner, flanks: Flanks) -> Held:
        width, size = len(partner.motif), 2 * REACH + 1
        over = partner.scores(flanks) >= partner.threshold

        def at(first: int) -> tuple[int, int]:
            there = slice(first, first + size)
            if first < 0 or first + size > over.shape[1]:
                return 0, 0
            room = _readable(flanks, width)[:, there].all(1)
            return int(over[room, there].any(1).sum()), int(room.sum())

        own, step = partner.column - REACH, width + size - 1
        left, right = at(own - step), at(own + step)
        nearer, farther = (right, left) if partner.column < MAX_SPACING else (left, right)
        return cls(*at(own), nearer, farther)

    @property
    def elsewhere(self) -> float:
        """Share of the two stretches beside that hold the partner."""
        return sum(h for h, _ in (self.nearer, self.farther)) / max(1, sum(n for _, n in (self.nearer, self.farther)))

    @property
    def pvalue(self) -> float:
        """Fisher's, against either side alone, the larger of the two: a word that is common on one side, or all around,
        keeps no distance. A side without room says nothing."""
        sides = [side for side in (self.nearer, self.farther) if side[1]]
        if not self.n or not sides:
            return 1.0
        return max(float(fisher_greater(self.hits, self.n, *side)) for side in sides)


def _readable(flanks: Flanks, width: int) -> Bool[np.ndarray, "n starts"]:
    return (sliding_window_view(flanks.codes, width, axis=1) != UNKNOWN).all(2)


def learn_partners(name: str, flanks: Flanks, palindromic: bool = False) -> list[Partner]:
    """What stands at a set distance from the motif called `name`, the surest first; untested. palindromic: the motif
    has no direction, so that a partner before it and its mirror image behind it are one."""
    if len(flanks) < MIN_SITES:
        return []
    letters = np.bincount(flanks.codes[flanks.codes != UNKNOWN], minlength=4)[:4] + 1.0
    letters /= letters.sum()
    first, last = REACH + LEAD, flanks.codes.shape[1] - WIDTH - REACH + LEAD
    found: list[Partner] = []
    for column, word in flanks.set_words(MOST * (1 + palindromic), first, last):
        partner = _learnt(name, flanks, column, word, letters)
        if partner is not None and not (palindromic and any(_mirrored(partner, other, flanks) for other in found)):
            found.append(partner)
    return found[:MOST]


def _mirrored(partner: Partner, other: Partner, flanks: Flanks) -> bool:
    turned = flanks.codes.shape[1] - partner.column - len(partner.motif)
    return abs(turned - other.column) <= LEAD + REACH and align(
        other.motif, partner.motif.reverse_complement(), min_overlap=3, stranded=True
    ).similarity >= 0.7  # fmt: skip


def _learnt(name: str, flanks: Flanks, column: int, word: str, letters: Float[np.ndarray, " 4"]) -> Partner | None:
    """EM from the word; None if it loses its sites or its letters on the way."""
    first = column - LEAD
    places = _at(flanks.codes, first)
    odds = np.zeros((WIDTH, 5))  # unknown letters say nothing
    for i, letter in enumerate(word, LEAD):
        odds[i, :4] = np.log(np.where(np.arange(4) == BASES.index(letter), 0.7, 0.1) / letters)
    share = 0.3  # of the flanks that have a partner
    for _ in range(_ROUNDS):
        weight = share / places.shape[1] * np.exp(odds[np.arange(WIDTH), places].sum(-1))
        weight /= (weight.sum(1) + 1 - share)[:, None]
        share = float(np.clip(weight.sum(1).mean(), 1e-6, 1 - 1e-6))
        counts = np.stack([(weight[..., None] * (places == base)).sum((0, 1)) for base in range(4)], axis=1)
        odds[:, :4] = np.log((counts + letters) / (counts.sum(1, keepdims=True) + 1) / letters)
    bits = bits_against(counts, letters)
    bits[counts.sum(1) < counts.sum(1).max() / 2] = 0  # columns that lie beyond the end of most sequences
    begin, end = informative_span(bits, MIN_COLUMN_BITS)
    motif = Motif("partner", counts[begin:end])
    if share * len(flanks) < MIN_SITES / 3 or bits[begin:end].sum() < MIN_BITS:
        return None
    if flanks.spacing(first + begin, end - begin) < LOOSE_GAP:
        return None
    threshold = float(np.log2(places.shape[1] * max(1.0, (1 - share) / share)))
    return Partner(name, motif.renamed(motif.consensus), first + begin, letters, threshold)


def _at(codes: UInt8[np.ndarray, "n f"], first: int) -> UInt8[np.ndarray, "n s w"]:
    return sliding_window_view(codes, WIDTH, axis=1)[:, first - REACH : first + REACH + 1].copy()
