"""Which matrix stands for a motif that was found in several ways, by heads and by plain enrichment.

A model that needs two factors together looks at them together: what a head shows may be their composite, or one of them
with the other's blur beside it, and then neither is known. Plain enrichment sees each wherever it stands. So of all
matrices that are one motif that one is taken which tells the sequences from their shuffles best, and a composite is let
go if two motifs that also stand apart lie side by side in it: what it says is said of the pair
(`zoo.genomics.cooperation`). One of two equal halves stays.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations

import numpy as np
from jaxtyping import Bool, UInt8

from zoo.genomics.by_head import NO_HEAD, Found, numbered
from zoo.genomics.enrichment import enrichment
from zoo.genomics.merge import Alignment, Discovery, align
from zoo.genomics.motifs import HALF_SITE_BITS, UNKNOWN, Motif, Sites
from zoo.genomics.scan import base_frequencies, scan, site_threshold
from zoo.genomics.seeds import log_likelihood_ratio

SHARED_SITES = 0.5  # of the rarer motif's, for two that look alike to be one: GRHL2's AACAGGTT is not SIX1's TCAGGTTA
INSIDE = 0.75  # of a motif's information must lie in a composite, and be like it there; of the composite's in two
LIKE = 0.8
FDR = 0.05  # of those that a composite may consist of
TOGETHER = 0.7  # of a part's sites, at most, may stand beside the other part: fragments of one motif always do

Covered = tuple[Sites, Bool[np.ndarray, "n length"]]  # a motif's sites, and the bases that they cover


def standing(
    found: tuple[Found, ...],
    more: Iterable[Discovery],
    codes: UInt8[np.ndarray, "n length"],
    shuffled: UInt8[np.ndarray, "n length"],
    stranded: bool = False,
    anchored: bool = False,
) -> tuple[Found, ...]:
    """The motifs of heads (`found`) and of plain enrichment (`more`), each once, with the heads that show it, or
    `NO_HEAD`; those of heads first.

    codes: the sequences they were found in, padding above 3; shuffled: their shuffles. anchored: sequences keep places,
    by which a head's motif is better known than by its frequency: heads' matrices stand, then.
    """
    candidates = [*found, *(Found(d, (NO_HEAD,)) for d in more)]
    if not candidates:
        return ()
    motifs = [f.discovery.motif.renamed(str(i)) for i, f in enumerate(candidates)]
    plain, others = np.minimum(codes, UNKNOWN), np.minimum(shuffled, UNKNOWN)
    letters, length = base_frequencies(plain), float((codes < UNKNOWN).sum(1).mean())
    sites, by_chance = (scan(motifs, c, letters, site_threshold(length, stranded), stranded) for c in (plain, others))
    present = enrichment([m.name for m in motifs], sites, by_chance, len(codes), len(codes))
    covered = _covered(sites, len(motifs), codes.shape)
    told = [float(log_likelihood_ratio(p.n_with_pos, p.n_pos, p.n_with_neg, p.n_neg)) for p in present]
    order = range(len(motifs)) if anchored else np.argsort([-g for g in told], kind="stable")
    kept: dict[int, list[str]] = {}
    for i in order:
        stands = next((k for k in kept if _same(motifs[k], motifs[i], covered[k], covered[i], stranded)), i)
        sources = kept.setdefault(int(stands), [])
        sources += [s for s in candidates[i].sources if s not in sources]
    simple: list[int] = []
    shown: dict[int, list[str]] = {i: list(sources) for i, sources in kept.items()}
    for i in sorted(kept, key=lambda i: motifs[i].total_information):  # no composite is a part of another
        known = {k: motifs[k] for k in simple if present[k].qvalue < FDR}
        parts = _parts(motifs[i], known, covered, stranded)
        for k in parts:  # what shows a composite shows its parts
            shown[k] += kept[i]
        simple += [] if parts else [i]
    simple = [i for i in kept if i in simple]
    heads = {i: tuple(dict.fromkeys(s for s in shown[i] if s != NO_HEAD)) for i in simple}
    simple.sort(key=lambda i: heads[i] == ())
    return tuple(
        Found(numbered(candidates[i].discovery, number), heads[i] or (NO_HEAD,)) for number, i in enumerate(simple, 1)
    )


def _covered(sites: Sites, count: int, shape: tuple[int, ...]) -> list[Covered]:
    names = np.array(sites.motif, dtype=object)
    found = []
    for i in range(count):
        mine = sites[names == str(i)]
        bases = np.zeros(shape, bool)
        for row, start, end in zip(mine.sequence, mine.start, mine.end, strict=True):
            bases[row, start:end] = True
        found.append((mine, bases))
    return found


def _same(first: Motif, second: Motif, a: Covered, b: Covered, stranded: bool) -> bool:
    lie = align(first, second, stranded=stranded)
    common = _common(first, second, lie)
    beyond = max(m.total_information - bits for m, bits in zip((first, second), common, strict=True))
    if not lie.same or beyond >= HALF_SITE_BITS:
        return False
    rarer, other = (a, b) if len(a[0]) <= len(b[0]) else (b, a)
    return _inside(rarer, other) >= SHARED_SITES


def _inside(these: Covered, others: Covered, reach: int = 0) -> float:
    """Share of these sites that touch one of the others, or stand within `reach` bases; all, if there are none."""
    sites, reached = these[0], np.pad(np.cumsum(others[1], axis=1), ((0, 0), (1, 0)))
    if not len(sites):
        return 1.0
    first, last = np.maximum(sites.start - reach, 0), np.minimum(sites.end + reach, reached.shape[1] - 1)
    return float((reached[sites.sequence, last] > reached[sites.sequence, first]).mean())


def _parts(motif: Motif, others: dict[int, Motif], covered: list[Covered], stranded: bool) -> set[int]:
    """Those of the others that lie whole in it, side by side with another, explain it with that, and stand without that
    often enough to be no fragments; or none."""
    spans = {k: span for k, other in others.items() if (span := _span(motif, other, stranded)) is not None}
    parts: set[int] = set()
    for (i, a), (k, b) in combinations(spans.items(), 2):
        explained = motif.information[slice(*a)].sum() + motif.information[slice(*b)].sum()
        together = max(_inside(covered[x], covered[y], len(motif)) for x, y in ((i, k), (k, i)))
        beside = min(a[1], b[1]) <= max(a[0], b[0])
        if beside and explained >= INSIDE * motif.total_information and together <= TOGETHER:
            parts |= {i, k}
    return parts


def _span(motif: Motif, other: Motif, stranded: bool) -> tuple[int, int] | None:
    """The columns of the motif in which the other lies whole; None if it does not."""
    lie = align(motif, other, stranded=stranded)
    whole = _common(motif, other, lie)[1] >= INSIDE * other.total_information and lie.similarity >= LIKE
    return (max(lie.offset, 0), min(lie.offset + len(other), len(motif))) if whole else None


def _common(first: Motif, second: Motif, lie: Alignment) -> tuple[float, float]:
    """Information of each in the columns that both have."""
    begin, end = max(lie.offset, 0), min(lie.offset + len(second), len(first))
    turned = second.reverse_complement() if lie.minus else second
    here, there = first.information[begin:end], turned.information[begin - lie.offset : end - lie.offset]
    return float(here.sum()), float(there.sum())
