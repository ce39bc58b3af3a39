"""Partners at a set distance (`zoo.genomics.beside`): the tests."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, UInt8
from scipy.stats import false_discovery_control

from zoo.genomics.beside import Held, Partner, learn_partners
from zoo.genomics.enrichment import fisher_greater
from zoo.genomics.flanks import Flanks
from zoo.genomics.knockout import MIN_SEQUENCES, MIN_WIDTH, Knockout, knockouts
from zoo.genomics.motifs import UNKNOWN, Sites
from zoo.genomics.spacing import MAX_SPACING

if TYPE_CHECKING:
    from zoo.genomics.model import PromoterDetector

FDR = 0.05
SAME = 0.5  # of the shorter of two sites must lie in the other, for them to be one; and of a partner's sites


@dataclass(frozen=True, eq=False)
class Part:
    """Sequences, padding as `zoo.genomics.sequences.PAD`, and the sites of motifs in them."""

    codes: UInt8[np.ndarray, "N L"]
    sites: Sites

    def flanks(self, name: str) -> Flanks | None:
        mine = self.sites[np.array([motif == name for motif in self.sites.motif], dtype=bool)]
        return Flanks.around(mine, np.minimum(self.codes, UNKNOWN)) if len(mine) else None


@dataclass(frozen=True, eq=False)
class Beside:
    """A partner and its tests. spacing: bases to the motif, the most frequent. held: in the flanks of positives and of
    negatives. counts: positives with both, positives, negatives with both, negatives. profiles: of positives and
    negatives, share of the sequences that hold the motif, and the partner at each column of its flanks. also: what has
    the same sites, another motif or a partner before this one, or ""."""

    partner: Partner
    before: bool
    spacing: int
    held: tuple[Held, Held]
    counts: tuple[int, int, int, int]
    distance_q: float
    class_q: float
    knockout: Knockout
    profiles: tuple[Float[np.ndarray, " columns"], Float[np.ndarray, " columns"]]
    also: str

    @property
    def stands_out(self) -> bool:
        return self.distance_q < FDR and self.class_q < FDR

    @property
    def asked(self) -> bool:
        """Were there enough sites to ask the model whether it needs them?"""
        return self.knockout.num_sequences >= MIN_SEQUENCES


def stand_beside(
    model: PromoterDetector,
    names: Sequence[str],
    learn: Part,
    positive: Part,
    negative: Part,
    palindromes: Collection[str] = (),
    seed: int = 0,
) -> list[Beside]:
    """The partners of the motifs called `names`, those that stand out and are new first. learn: where partners are
    learnt; positive, negative: the test sequences. palindromes: those that read alike on both strands."""
    rows: list[tuple[Beside, Sites, Sites]] = []
    for name in names:
        flanks, mine, others = (part.flanks(name) for part in (learn, positive, negative))
        if flanks is not None and mine is not None:
            for partner in learn_partners(name, flanks, name in palindromes):
                rows.append(_tested(partner, mine, others, positive, negative))
    if not rows:
        return []
    wide = (replace(s, motif=(str(i),) * len(s)) for i, (_, _, s) in enumerate(rows))
    destroyed = Sites.concatenate([*wide, positive.sites])  # what is destroyed for comparison is clear of motifs, too
    needed = knockouts(model, positive.codes, destroyed, [str(i) for i in range(len(rows))], seed=seed)
    qs = [false_discovery_control([getattr(row, kind) for row, *_ in rows]) for kind in ("distance_q", "class_q")]
    found = [
        (replace(row, distance_q=float(d), class_q=float(c), knockout=k), sites)
        for (row, sites, _), d, c, k in zip(rows, *qs, needed, strict=True)
    ]
    found.sort(key=lambda one: (not one[0].stands_out, one[0].distance_q))
    named = _named(found, positive)
    return sorted(named, key=lambda b: (not b.stands_out, b.also != "", b.distance_q))


def _tested(
    partner: Partner, flanks: Flanks, others: Flanks | None, positive: Part, negative: Part
) -> tuple[Beside, Sites, Sites]:
    """With p in the place of q, and without the knock-out; the partner's sites in the positives; and these widened away
    from the motif to what a knock-out destroys, where there is room."""
    width, held_nowhere = len(partner.motif), Held(0, 0, (0, 0), (0, 0))
    held = Held.of(partner, flanks), held_nowhere if others is None else Held.of(partner, others)
    columns, scores = partner.places(flanks)
    there = scores >= partner.threshold
    usual = int(np.bincount(columns[there], minlength=1).argmax()) if there.any() else partner.column
    counts = int(there.sum()), len(positive.codes), _holding(partner, others), len(negative.codes)
    before, wider = usual < MAX_SPACING, max(0, MIN_WIDTH - width)
    wide = _sites(flanks, columns - (wider if before else 0), width + wider, scores, there)
    lengths = (positive.codes[wide.sequence] <= UNKNOWN).sum(1)
    row = Beside(
        partner,
        before,
        flanks.spacing(usual, width),
        held,
        counts,
        held[0].pvalue,
        float(fisher_greater(*counts)),
        Knockout("", 0, float("nan"), float("nan"), 1.0, 1.0),
        tuple(_profile(partner, f, len(p.codes)) for f, p in ((flanks, positive), (others, negative))),
        "",
    )
    return row, _sites(flanks, columns, width, scores, there), wide[(wide.start >= 0) & (wide.end <= lengths)]


def _sites(flanks: Flanks, columns: np.ndarray, width: int, scores: np.ndarray, there: np.ndarray) -> Sites:
    start, nothing = flanks.starts(columns, width)[there], ("",) * int(there.sum())
    strand = tuple(np.array(flanks.sites.strand, dtype=object)[there])
    bits = scores[there].astype(float)
    return Sites(
        nothing, flanks.sites.sequence[there], start, start + width, strand, bits, np.exp2(-bits), nothing
    )  # fmt: skip


def _holding(partner: Partner, flanks: Flanks | None) -> int:
    return 0 if flanks is None else int((partner.places(flanks)[1] >= partner.threshold).sum())


def _profile(partner: Partner, flanks: Flanks | None, sequences: int) -> Float[np.ndarray, " columns"]:
    return np.zeros(0) if flanks is None else (partner.scores(flanks) >= partner.threshold).sum(0) / sequences


def _named(found: list[tuple[Beside, Sites]], positive: Part) -> list[Beside]:
    """Each with what has its sites already."""
    known = positive.sites
    order = np.argsort(known.sequence, kind="stable")
    named: list[Beside] = []
    partners: list[tuple[str, Sites]] = []
    for row, sites in found:
        covered: dict[str, int] = {}
        first, last = (np.searchsorted(known.sequence[order], sites.sequence, side) for side in ("left", "right"))
        for i, (a, b) in enumerate(zip(first, last, strict=True)):
            here = order[a:b]
            same = here[_overlap(known.start[here], known.end[here], sites.start[i], sites.end[i])]
            for name in {known.motif[k] for k in same} - {row.partner.beside}:
                covered[name] = covered.get(name, 0) + 1
        for name, others in partners:
            _, mine, its = np.intersect1d(sites.sequence, others.sequence, return_indices=True)
            covered[name] = int(_overlap(others.start[its], others.end[its], sites.start[mine], sites.end[mine]).sum())
        most = max(covered, key=covered.__getitem__, default="")
        also = most if most and covered[most] >= SAME * max(1, len(sites)) else ""
        named.append(replace(row, also=also))
        if row.stands_out and not also:
            partners.append((f"{row.partner.motif.name} beside {row.partner.beside}", sites))
    return named


def _overlap(start: np.ndarray, end: np.ndarray, first: np.ndarray, last: np.ndarray) -> np.ndarray:
    shared = np.minimum(end, last) - np.maximum(start, first)
    return shared >= SAME * np.minimum(end - start, last - first)
