"""Words that stand at one place: what a set of sequences was built or aligned around.

TATAA at base 218 in a fifth of the negatives says how the negatives were made; TATAA near base 219 in the positives
may be biology, if they are aligned at a start site. Either tells the classes apart by position alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float, Int, UInt8
from scipy.stats import binom

from zoo.genomics.enrichment import fisher_greater
from zoo.genomics.motifs import spell
from zoo.genomics.split import kmers

K = 5
NEAR, FAR = 10, 60  # a word's usual rate is taken from the places this far away, on either side
SIGNIFICANCE = 0.01  # Bonferroni over all words, places and both classes
MIN_SHARE = 0.01  # of the class
MIN_FOLD = 3.0  # over the rate elsewhere
SHOWN = 40


@dataclass(frozen=True)
class FixedWord:
    """A word in excess at one place of one class, against its own rate elsewhere and against the other class.

    share, other: of the sequences of this and the other class that hold it there. elsewhere: of this class, on average
    over the places around. pvalue: the larger of the two tests', Bonferroni.
    """

    word: str
    start: int
    positive: bool  # the class
    share: float
    other: float
    elsewhere: float
    pvalue: float

    @property
    def usual(self) -> float:
        """`elsewhere`, and not zero."""
        return max(self.elsewhere, 1e-6)


def fixed_words(
    positive: UInt8[np.ndarray, "n length"], negative: UInt8[np.ndarray, "m length"]
) -> tuple[FixedWord, ...]:
    """The words of five bases that are fixed in one of the classes, the most frequent first.

    Binomial test of the count at a place against the mean rate of the places 10 to 60 bases away, and Fisher's test
    against the other class, both under .01 after Bonferroni; in 1 % of the class or more, and three times as often as
    elsewhere (in phase, repeats are nearly twice as frequent). A long word gives several that overlap.
    """
    counts = [_counts(codes) for codes in (positive, negative)]  # [places, 4^K] each
    sizes = (len(positive), len(negative))
    found: list[FixedWord] = []
    for this, other in ((0, 1), (1, 0)):
        usual = _rate_around(counts[this] / max(1, sizes[this]))
        tests = 2 * counts[this].size
        place, word = np.nonzero(counts[this] >= max(MIN_SHARE * sizes[this], 3))
        here, there = counts[this][place, word], counts[other][place, word]
        by_place = binom.sf(here - 1, sizes[this], np.maximum(usual[place, word], 0.5 / max(1, sizes[this])))
        by_class = fisher_greater(here, sizes[this], there, sizes[other])
        pvalue = np.minimum(1, np.maximum(by_place, by_class) * tests)
        fold = here / sizes[this] / np.maximum(usual[place, word], 1e-12)
        for i in np.flatnonzero((pvalue < SIGNIFICANCE) & (fold >= MIN_FOLD)):
            at = place[i], word[i]
            shares = (here[i] / sizes[this], there[i] / max(1, sizes[other]), usual[at])
            found.append(FixedWord(_spelled(word[i]), int(place[i]), this == 0, *map(float, shares), float(pvalue[i])))
    return tuple(sorted(found, key=lambda f: (-f.share, f.pvalue)))


def telling(words: tuple[FixedWord, ...], most: int = 2) -> tuple[FixedWord, ...]:
    """Of words at least half as frequent as the most frequent, those furthest beyond their usual rate."""
    often = [w for w in words if w.share >= words[0].share / 2]
    return tuple(sorted(often, key=lambda w: -w.share / w.usual)[:most])


def fixed_table(words: tuple[FixedWord, ...]) -> pd.DataFrame:
    columns = ["word", "base", "in excess in", "in positives", "in negatives", "elsewhere", "p"]
    rows = [
        (
            f.word, f.start, "positives" if f.positive else "negatives",
            *((f.share, f.other) if f.positive else (f.other, f.share)), f.elsewhere, f.pvalue,
        )
        for f in words[:SHOWN]
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)


def class_difference(
    positive: UInt8[np.ndarray, "n length"], negative: UInt8[np.ndarray, "m length"]
) -> Float[np.ndarray, " length"]:
    """Total variation distance of the two classes' bases at each place: 0 alike, 1 never the same."""
    shares = [np.stack([(codes == b).mean(0) for b in range(4)]) for codes in (positive, negative)]
    return np.abs(shares[0] - shares[1]).sum(0) / 2


def _counts(codes: np.ndarray) -> Int[np.ndarray, "places words"]:
    number, real = kmers(codes, K, canonical=False)
    places = number.shape[1]
    flat = (np.arange(places) * 4**K + number.astype(np.int64))[real]
    return np.bincount(flat, minlength=places * 4**K).reshape(places, 4**K)


def _rate_around(rate: Float[np.ndarray, "places words"]) -> Float[np.ndarray, "places words"]:
    """Mean over the places at a distance of NEAR to FAR that exist."""
    places = len(rate)
    total = np.pad(np.cumsum(rate, axis=0), ((1, 0), (0, 0)))
    at = np.arange(places)

    def span(start: np.ndarray, end: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        start, end = np.clip(start, 0, places), np.clip(end, 0, places)
        return total[end] - total[start], end - start

    before, num_before = span(at - FAR, at - NEAR + 1)
    after, num_after = span(at + NEAR, at + FAR + 1)
    return (before + after) / np.maximum(num_before + num_after, 1)[:, None]


def _spelled(word: int) -> str:
    return spell(np.array([[(int(word) >> (2 * i)) & 3 for i in reversed(range(K))]], np.uint8))[0]
