"""What speaks against the class: the search for motifs once more, in the negatives and with the logit turned round.

The same tests decide, on sequences that took no part: sites must be more frequent in negatives than in their
dinucleotide shuffles, and the logit must rise when a site is destroyed. They must be more frequent than in positives,
too: one of two partners alone may lower the logit, and speaks for the class none the less. Negatives that were made by
shuffling hold nothing to find.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch

from zoo.genomics.attribution import attention_evidence
from zoo.genomics.by_head import discover_by_head
from zoo.genomics.confirmed import Confirmed, motif_table
from zoo.genomics.enrichment import enrichment
from zoo.genomics.jaspar import Reference, match
from zoo.genomics.knockout import knockouts
from zoo.genomics.placed import sites_in_place, usual_place
from zoo.genomics.scan import base_frequencies
from zoo.genomics.sequences import Sequences, take
from zoo.genomics.shuffle import dinucleotide_shuffle

if TYPE_CHECKING:
    from zoo.genomics.model import PromoterDetector

MATCHES = 5  # of each motif
MOST = 1500  # negatives in which motifs are looked for

TITLE = "What speaks against the class"
CAPTION = (
    "The same search and the same tests with the classes exchanged, of all heads together: sites are more frequent in "
    "negatives than in their dinucleotide shuffles and than in positives (enrichment q), and the logit rises when one "
    "is destroyed. Negatives made by shuffling hold nothing to find."
)
RENAMED = {
    "in positives": "in negatives",
    "in negatives": "in positives",
    "in shuffles": "in shuffles of negatives",
    "logit fall": "logit rise",
    "fall elsewhere": "rise elsewhere",
}


@contextmanager
def opposite(model: PromoterDetector) -> Iterator[None]:
    """Inside, the logit is that of the other class."""
    model.sign = -1.0
    try:
        yield
    finally:
        model.sign = 1.0


def speaks_against(
    model: PromoterDetector,
    negatives: Sequences,
    positives: Sequences,
    test: Sequences,
    references: Sequence[Reference],
    asked: bool,
    seed: int = 0,
) -> list[Confirmed]:
    """Motifs of `negatives`, tested on `test` (labelled), the confirmed ones first. positives: sequences without them.

    asked: whether the model tells the classes apart, as in `Confirmed`.
    """
    if len(negatives) > MOST:
        negatives = take(negatives, np.random.default_rng(seed).permutation(len(negatives))[:MOST])
    stranded, length = model.strands == "given", float(test.lengths.mean())
    held, others = (take(test, np.flatnonzero(test.labels == label)).codes for label in (0, 1))
    with opposite(model):
        score = attention_evidence(model, torch.from_numpy(negatives.codes)).score.numpy()
        found, _ = discover_by_head(score, {}, negatives.codes, positives.codes, stranded=stranded, seed=seed)
        if not found:
            return []
        motifs = [f.discovery.motif.renamed(f"against-{f.discovery.motif.name}") for f in found]
        anchored = stranded and bool((negatives.lengths == negatives.codes.shape[1]).all())
        places = [usual_place(f.discovery.sites.start, negatives.codes.shape[1]) if anchored else None for f in found]
        parts = [np.minimum(codes, 4) for codes in (held, others, dinucleotide_shuffle(held, seed=0))]
        letters = base_frequencies(np.minimum(test.codes, 4))
        sites, in_others, in_shuffles = (
            sites_in_place(motifs, places, codes, letters, length, stranded) for codes in parts
        )
        names = [m.name for m in motifs]
        present = enrichment(names, sites, in_shuffles, len(held), len(held))
        enriched = enrichment(names, sites, in_others, len(held), len(others))
        needed = knockouts(model, held, sites, names, seed=seed)
    matches = match(motifs, references, top=MATCHES)
    results = [
        Confirmed(
            m,
            f.sources,
            len(f.discovery.sites),
            p,
            e,
            k,
            tuple(x for x in matches if x.motif == m.name),
            asked=asked,
            must_tell=True,
        )
        for m, f, p, e, k in zip(motifs, found, present, enriched, needed, strict=True)
    ]
    return sorted(results, key=lambda r: (not r.confirmed, r.knockout.pvalue))


def against_table(results: Sequence[Confirmed], references: Sequence[Reference]) -> pd.DataFrame:
    table = motif_table(results, references).drop(columns=["acts in a pair", "found in"])
    return table.rename(columns=RENAMED)


def against_headline(results: Sequence[Confirmed]) -> str:
    """Nothing, where nothing was confirmed."""
    confirmed = [r for r in results if r.confirmed]
    if not confirmed:
        return ""
    one = len(confirmed) == 1
    lines = ["1 motif speaks against the class:" if one else f"{len(confirmed)} motifs speak against the class:"]
    for r in confirmed:
        name = f"{r.best.name} ({r.best.matrix_id}, q = {r.best.qvalue:.1e})" if r.best else "no match in JASPAR"
        lines.append(
            f"  {r.motif.name:<20} {name}; in {r.enriched.n_with_pos / r.enriched.n_pos:.0%} of negatives, "
            f"{r.enriched.n_with_neg / r.enriched.n_neg:.0%} of positives"
        )
    return "\n".join(lines)
