"""Partners at a set distance (`zoo.genomics.beside`): the tests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float
from scipy.stats import false_discovery_control

from zoo.genomics.beside import Held, Partner, learn_partners
from zoo.genomics.enrichment import fisher_greater
from zoo.genomics.flanks import Flanks
from zoo.genomics.knockout import Knockout, knockouts
from zoo.genomics.motifs import Sites
from zoo.genomics.spacing import MAX_SPACING

if TYPE_CHECKING:
    from zoo.genomics.model import PromoterDetector

FDR = 0.05


@dataclass(frozen=True, eq=False)
class Beside:
    """A partner and its tests. spacing: bases to the motif, the most frequent. profiles: of positives and negatives,
    share of the sequences that hold the motif, and the partner at each column of its flanks. also: name of a motif
    with the same sites, or ""."""

    partner: Partner
    before: bool
    spacing: int
    held: Held
    counts: tuple[int, int, int, int]  # positives with both, positives, negatives with both, negatives
    distance_q: float
    class_q: float
    knockout: Knockout
    profiles: tuple[Float[np.ndarray, " columns"], Float[np.ndarray, " columns"]]
    also: str

    @property
    def stands_out(self) -> bool:
        return self.distance_q < FDR and self.class_q < FDR


def stand_beside(
    model: PromoterDetector,
    names: Sequence[str],
    learn: tuple[np.ndarray, Sites],
    positive: tuple[np.ndarray, Sites],
    negative: tuple[np.ndarray, Sites],
    seed: int = 0,
) -> list[Beside]:
    """The partners of the motifs called `names`, those that stand out and are new first. Sequences and the motifs'
    sites in them: `learn`, where partners are learnt, and the test sequences of both classes."""
    rows: list[tuple[Beside, Sites]] = []
    for name in names:
        flanks, mine, others = (_flanks(name, *part) for part in (learn, positive, negative))
        if flanks is None or mine is None:
            continue
        for partner in learn_partners(name, flanks):
            rows.append(_tested(partner, mine, others, positive, negative))
    if not rows:
        return []
    partners = (replace(s, motif=(str(i),) * len(s)) for i, (_, s) in enumerate(rows))
    sites = Sites.concatenate([*partners, positive[1]])  # what is destroyed for comparison is clear of the motifs, too
    needed = knockouts(model, positive[0], sites, [str(i) for i in range(len(rows))], seed=seed)
    qs = [false_discovery_control([getattr(row, kind) for row, _ in rows]) for kind in ("distance_q", "class_q")]
    found = [
        replace(row, distance_q=float(d), class_q=float(c), knockout=k)
        for (row, _), d, c, k in zip(rows, *qs, needed, strict=True)
    ]
    return sorted(found, key=lambda b: (not b.stands_out, b.also != "", b.distance_q))


def _flanks(name: str, codes: np.ndarray, sites: Sites) -> Flanks | None:
    mine = sites[np.array([motif == name for motif in sites.motif], dtype=bool)]
    return Flanks.around(mine, codes) if len(mine) else None


def _tested(
    partner: Partner,
    flanks: Flanks,
    others: Flanks | None,
    positive: tuple[np.ndarray, Sites],
    negative: tuple[np.ndarray, Sites],
) -> tuple[Beside, Sites]:
    """With p in the place of q, and without the knock-out; and the partner's sites in the positives."""
    width = len(partner.motif)
    held, held_others = Held.of(partner, flanks), Held(0, 0, 0, 0) if others is None else Held.of(partner, others)
    columns, scores = partner.places(flanks)
    there = scores >= partner.threshold
    usual = int(np.bincount(columns[there], minlength=1).argmax()) if there.any() else partner.column
    counts = held.hits, len(positive[0]), held_others.hits, len(negative[0])
    start = flanks.starts(columns, width)[there]
    sites = Sites(
        ("",) * int(there.sum()),
        flanks.sites.sequence[there],
        start,
        start + width,
        tuple(np.array(flanks.sites.strand, dtype=object)[there]),
        scores[there].astype(float),
        np.exp2(-scores[there].astype(float)),
        ("",) * int(there.sum()),
    )
    row = Beside(
        partner,
        usual < MAX_SPACING,
        flanks.spacing(usual, width),
        held,
        counts,
        held.pvalue,
        float(fisher_greater(*counts)),
        Knockout("", 0, float("nan"), float("nan"), 1.0, 1.0),
        (_profile(partner, flanks, len(positive[0])), _profile(partner, others, len(negative[0]))),
        _also(sites, positive[1], partner.beside),
    )
    return row, sites


def _profile(partner: Partner, flanks: Flanks | None, sequences: int) -> Float[np.ndarray, " columns"]:
    return np.zeros(0) if flanks is None else (partner.scores(flanks) >= partner.threshold).sum(0) / sequences


def _also(sites: Sites, known: Sites, beside: str) -> str:
    """The motif, other than the one it stands beside, whose sites cover most of the partner's, if they cover half."""
    covered: dict[str, int] = {}
    for sequence, start, end in zip(sites.sequence, sites.start, sites.end, strict=True):
        here = (known.sequence == sequence) & (known.start < end) & (known.end > start)
        for name in {known.motif[i] for i in np.flatnonzero(here)} - {beside}:
            covered[name] = covered.get(name, 0) + 1
    most = max(covered, key=covered.__getitem__, default="")
    return most if most and covered[most] >= len(sites) / 2 else ""
