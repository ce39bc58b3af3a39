"""Attention -> motifs: found on one set of sequences, tested on another, matched to JASPAR, written in the field's
own formats.

    evidence   attention x gradient of every base                                    (attribution)
    seqlets    windows where it is clustered                                          (seqlets)
    motifs     what the seqlets have in common, on both strands                       (discover)
    tests      on sequences that took no part: are sites more frequent in positives (Fisher), and does the model's
               logit fall when they are destroyed (knock-out)?                        (enrichment, knockout)
    names      TOMTOM against JASPAR                                                  (jaspar)
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch

from zoo.domain.insight import Figure, Insight, Table
from zoo.genomics import pictures
from zoo.genomics.attribution import Attention, attention_evidence
from zoo.genomics.confirmed import MATCH_CAPTION, MOTIF_CAPTION, Confirmed, headline, match_table, motif_table
from zoo.genomics.core_elements import ELEMENT_CAPTION, ELEMENT_TITLE, CoreElements, core_elements
from zoo.genomics.discover import discover
from zoo.genomics.enrichment import enrichment
from zoo.genomics.evidence import KnownSites, heads_by_motif, site_coverage
from zoo.genomics.formats import to_bed, to_jaspar, to_meme
from zoo.genomics.jaspar import CORE_PROMOTER_RELEASE, RELEASE, Reference, load_jaspar, match
from zoo.genomics.knockout import knockouts
from zoo.genomics.motifs import Motif, Sites
from zoo.genomics.planted import Planted
from zoo.genomics.recovered import PLANTED_CAPTION, planted_headline, recovered
from zoo.genomics.scan import base_frequencies, scan
from zoo.genomics.seqlets import find_seqlets
from zoo.genomics.sequences import PAD, Sequences, take
from zoo.genomics.tracks import with_tracks

if TYPE_CHECKING:
    from zoo.genomics.model import PromoterDetector

MATCHES = 5  # of each motif
MAX_DISCOVERY = 3000  # positives in which motifs are looked for


@dataclass(frozen=True)
class Origin:
    """Where motifs were looked for, and what they were tested on."""

    found_in: str = "the training and validation positives"
    tested_on: str = "the test sequences"


@dataclass(frozen=True, eq=False)
class Tested:
    """The test sequences of each class, the motifs' sites in them, and the evidence in the positives.

    Unknown bases and padding are one code, 4, as `zoo.genomics.motifs` wants them; `lengths` tells them apart.
    """

    positive: np.ndarray
    negative: np.ndarray
    positive_lengths: np.ndarray
    names: tuple[str, ...]  # of the positives
    sites: Sites
    sites_negative: Sites
    seen: Attention
    seen_negative: Attention
    letters: np.ndarray  # base frequencies


def explain(
    model: PromoterDetector,
    discovery: Sequences,
    background: Sequences,
    test: Sequences,
    known: KnownSites | None = None,
    planted: Planted | None = None,
    origin: Origin | None = None,
    seed: int = 0,
) -> Insight:
    """Motifs of `discovery` (positives), tested on `test` (labelled).

    background: sequences without the motifs. known: sites that are known to matter in each positive of `test`.
    planted: the whole answer, where it is known. origin: where the sequences are from, for the captions.
    """
    chosen = discovery
    if len(discovery) > MAX_DISCOVERY:
        chosen = take(discovery, np.random.default_rng(seed).permutation(len(discovery))[:MAX_DISCOVERY])
    seen = attention_evidence(model, torch.from_numpy(chosen.codes))
    seqlets = find_seqlets(seen.score.numpy().astype(float), chosen.codes != PAD, seed=seed)
    stranded = model.strands == "given"
    found = discover(
        np.minimum(chosen.codes, 4), seqlets, np.minimum(background.codes, 4), stranded=stranded, seed=seed
    )
    motifs = [d.motif for d in found]
    tested = _tested(model, motifs, test)
    names = [m.name for m in motifs]
    enriched = enrichment(names, tested.sites, tested.sites_negative, len(tested.positive), len(tested.negative))
    positives = take(test, np.flatnonzero(test.labels == 1)).codes
    needed = knockouts(model, positives, tested.sites, names, seed=seed)
    references = [*load_jaspar(RELEASE), *load_jaspar(CORE_PROMOTER_RELEASE, "POLII", None)]
    matches = match(motifs, references, top=MATCHES)
    results = [
        Confirmed(m, len(d.sites), e, k, tuple(x for x in matches if x.motif == m.name))
        for m, d, e, k in zip(motifs, found, enriched, needed, strict=True)
    ]
    results.sort(key=lambda r: (not r.confirmed, r.enriched.pvalue))
    elements = None
    if stranded:
        elements = core_elements(tested.positive, tested.negative, tested.letters, tested.seen.score.numpy())
    covered = None if known is None else site_coverage(model, positives, tested.seen, known)
    found_of_planted = None if planted is None else recovered(planted, results)
    said = _assemble(results, references, tested, covered, found_of_planted, elements, len(seqlets), origin)
    return with_tracks(said, model, positives, tested.names, tested.seen.score)


def _tested(model: PromoterDetector, motifs: list[Motif], test: Sequences) -> Tested:
    rows = np.flatnonzero(test.labels == 1)
    positive, negative = take(test, rows), take(test, np.flatnonzero(test.labels == 0))
    plain = [np.minimum(part.codes, 4) for part in (positive, negative)]
    letters = base_frequencies(np.minimum(test.codes, 4))
    return Tested(
        *plain,
        positive.lengths,
        positive.names,
        *(scan(motifs, codes, letters, stranded=model.strands == "given") for codes in plain),
        *(attention_evidence(model, torch.from_numpy(part.codes)) for part in (positive, negative)),
        letters,
    )


def _assemble(
    results: list[Confirmed],
    references: list[Reference],
    tested: Tested,
    covered: pd.DataFrame | None,
    planted: pd.DataFrame | None,
    elements: CoreElements | None,
    num_seqlets: int,
    origin: Origin | None,
) -> Insight:
    said = asdict(origin or Origin())
    confirmed = [r for r in results if r.confirmed]
    names = {r.motif.name: r.label for r in confirmed}
    motifs = [r.motif for r in confirmed]
    heads = heads_by_motif(tested.seen, tested.sites, list(names), tested.positive_lengths)
    tables = [Table("motifs", "Motifs", motif_table(results, references), MOTIF_CAPTION.format(**said))]
    tables.append(Table("matches", "What JASPAR has like them", match_table(results), MATCH_CAPTION))
    summary = [headline(results, num_seqlets)]
    if planted is not None:
        tables.append(Table("planted", "What was planted", planted, PLANTED_CAPTION))
        summary.append(planted_headline(planted))
    figures = []
    scores = {"motifs": len(confirmed), "motifs_in_jaspar": sum(r.best is not None for r in confirmed)}
    length = tested.positive.shape[1]
    if confirmed:
        counts = (len(tested.positive), len(tested.negative))
        where = pictures.positions(tested.sites, tested.sites_negative, names, length, *counts)
        figures.append(Figure("positions", "Where the motifs sit", where, POSITION_CAPTION.format(**said)))
    if elements is not None:
        tables.append(Table("core_elements", ELEMENT_TITLE, elements.table, ELEMENT_CAPTION.format(**said)))
        summary.append(elements.headline)
        if elements.placed:
            placed = {name: name for name in elements.placed}
            where = pictures.positions(elements.sites, elements.sites_negative, placed, length, *elements.counts)
            figures.append(Figure("core_elements", ELEMENT_TITLE, where, ELEMENT_CAPTION.format(**said)))
    profile = pictures.mean_evidence(tested.seen.score.numpy(), tested.seen_negative.score.numpy())
    figures.append(Figure("evidence", "Where the evidence lies", profile, EVIDENCE_CAPTION.format(**said)))
    if covered is not None and len(covered):
        scores |= {f"coverage/{r.evidence.replace(' ', '_')}": float(r.coverage) for r in covered.itertuples()}
        tables.append(Table("coverage", COVERAGE_TITLE, covered, COVERAGE_CAPTION))
        figures.append(Figure("coverage", COVERAGE_TITLE, pictures.site_coverage(covered), COVERAGE_CAPTION))
    tables.append(Table("heads", "What each head looks at", heads, HEAD_CAPTION))
    if confirmed:
        figures.append(Figure("heads", "What each head looks at", pictures.heads(heads, names), HEAD_CAPTION))
    files = {
        "motifs.meme": to_meme(motifs, tested.letters),
        "motifs.jaspar": to_jaspar(motifs),
        "sites.bed": to_bed(_of(tested.sites, set(names)), tested.names),
    }
    return Insight("\n".join(summary), tuple(tables), tuple(figures), files, scores)


POSITION_CAPTION = "Sites in {tested_on}: p < 1e-4, or the best word of a motif too short for that."
EVIDENCE_CAPTION = "Mean attention x gradient at each position of {tested_on}, all layers and heads."
COVERAGE_TITLE = "Does the evidence land on the known sites?"
COVERAGE_CAPTION = (
    "Share of test positives with a known site whose window of 15 bases around the highest peak holds one whole."
)
HEAD_CAPTION = (
    "How many times denser a head's positive evidence is inside a motif's sites than over the same sequences; "
    "share: the head's part of all evidence."
)


def _of(sites: Sites, names: set[str]) -> Sites:
    kept = np.flatnonzero([name in names for name in sites.motif])

    def rows(column):
        return tuple(column[i] for i in kept) if isinstance(column, tuple) else column[kept]

    return Sites(**{field: rows(getattr(sites, field)) for field in sites.__dataclass_fields__})
