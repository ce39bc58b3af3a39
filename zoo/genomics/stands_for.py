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
from jaxtyping import Float, UInt8

from zoo.genomics.by_head import NO_HEAD, Found, numbered
from zoo.genomics.enrichment import enrichment
from zoo.genomics.merge import WORTH, Alignment, Discovery, align
from zoo.genomics.motifs import HALF_SITE_BITS, UNKNOWN, Motif, Sites, core_span
from zoo.genomics.scan import base_frequencies, scan, site_threshold
from zoo.genomics.seeds import log_likelihood_ratio

SHARED_SITES = 0.5  # of the rarer motif's, for two that look alike to be one: GRHL2's AACAGGTT is not SIX1's TCAGGTTA
INSIDE = 0.75  # of a motif's information must lie in a composite, and be like it there
LIKE = 0.8
FDR = 0.05  # of those that a composite may consist of
ONE_BASE = 2.0  # bits: more than this may not be in both parts of a composite
TOGETHER = 0.7  # of a part's sites, at most, may be the composite's: a fragment's are, but for those there by chance


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
    own, at_random = (_of_each(s, len(motifs)) for s in (sites, by_chance))
    told = [float(log_likelihood_ratio(p.n_with_pos, p.n_pos, p.n_with_neg, p.n_neg)) for p in present]
    order = range(len(motifs)) if anchored else np.argsort([-g for g in told], kind="stable")
    kept: dict[int, list[str]] = {}
    for i in order:
        stands = next((k for k in kept if _same(motifs[k], motifs[i], own[k], own[i], stranded)), i)
        sources = kept.setdefault(int(stands), [])
        sources += [s for s in candidates[i].sources if s not in sources]
    simple: list[int] = []
    shown: dict[int, list[str]] = {i: list(sources) for i, sources in kept.items()}
    for i in sorted(kept, key=lambda i: motifs[i].total_information):  # no composite is a part of another
        known = {k: motifs[k] for k in simple if present[k].qvalue < FDR}
        pairs = _pairs(motifs[i], known, stranded)
        alone = {k for k in set().union(*pairs) if _together(k, i, own, at_random) <= TOGETHER}
        parts = set().union(*(pair for pair in pairs if set(pair) <= alone))
        for k in parts:  # what shows a composite shows its parts
            shown[k] += kept[i]
        simple += [] if parts else [i]
    simple = [i for i in kept if i in simple]
    heads = {i: tuple(dict.fromkeys(s for s in shown[i] if s != NO_HEAD)) for i in simple}
    simple.sort(key=lambda i: heads[i] == ())
    return tuple(
        Found(numbered(candidates[i].discovery, number), heads[i] or (NO_HEAD,)) for number, i in enumerate(simple, 1)
    )


def _of_each(sites: Sites, count: int) -> list[Sites]:
    names = np.array(sites.motif, dtype=object)
    return [sites[names == str(i)] for i in range(count)]


def _same(first: Motif, second: Motif, a: Sites, b: Sites, stranded: bool) -> bool:
    lie = align(first, second, stranded=stranded)
    common = _common(first, second, lie)
    beyond = max(m.total_information - bits for m, bits in zip((first, second), common, strict=True))
    if not lie.same or beyond >= HALF_SITE_BITS:
        return False
    rarer, other = (a, b) if len(a) <= len(b) else (b, a)
    return not len(rarer) or bool(np.isfinite(_touching(rarer, other)).mean() >= SHARED_SITES)


def _touching(these: Sites, others: Sites) -> Float[np.ndarray, " n"]:
    """For each of one motif's sites the best score of another motif's that shares a base with it, or -inf."""
    if not len(these) or not len(others):
        return np.full(len(these), -np.inf)
    stride = int(max(these.end.max(), others.end.max())) + 1
    place = others.sequence * stride + others.start
    order = np.argsort(place, kind="stable")
    place, score = place[order], np.append(others.score[order], -np.inf)
    row, width = these.sequence * stride, others.end[0] - others.start[0]
    first = np.searchsorted(place, row + these.start - width, side="right")
    last = np.searchsorted(place, row + these.end, side="left")
    best = np.maximum.reduceat(score, np.stack([first, last], axis=1).ravel())[::2]
    return np.where(first < last, best, -np.inf)


def _together(part: int, whole: int, own: list[Sites], at_random: list[Sites]) -> float:
    """Share of the part's sites that the whole explains better than the part, both less what shuffles have."""
    apart, by_chance = (int((_touching(s[part], s[whole]) <= s[part].score).sum()) for s in (own, at_random))
    return 1 - max(apart - by_chance, 0) / max(len(own[part]) - len(at_random[part]), 1)


def _pairs(motif: Motif, others: dict[int, Motif], stranded: bool) -> list[tuple[int, int]]:
    """Those two of the others that lie whole in it, side by side, if nothing that could be a half-site lies outside."""
    spans = {k: span for k, other in others.items() if (span := _span(motif, other, stranded)) is not None}
    pairs = []
    for (i, a), (k, b) in combinations(spans.items(), 2):
        in_both = motif.information[max(a[0], b[0]) : min(a[1], b[1])].sum()
        left_out = motif.information.copy()
        left_out[slice(*a)] = left_out[slice(*b)] = 0
        if in_both <= ONE_BASE and left_out[slice(*core_span(left_out, WORTH))].sum() < HALF_SITE_BITS:
            pairs.append((i, k))
    return pairs


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
