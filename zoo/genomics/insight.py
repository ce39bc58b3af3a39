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

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch
from scipy.optimize import linear_sum_assignment

from zoo.domain.insight import Figure, Insight, Table
from zoo.genomics import pictures
from zoo.genomics.attribution import Attention, attention_evidence
from zoo.genomics.core_elements import MIN_BITS, element_sites, placed_elements
from zoo.genomics.discover import discover
from zoo.genomics.enrichment import Enrichment, enrichment
from zoo.genomics.evidence import KnownSites, heads_by_motif, site_coverage
from zoo.genomics.formats import to_bed, to_jaspar, to_meme
from zoo.genomics.jaspar import Match, Reference, load_jaspar, match
from zoo.genomics.knockout import Knockout, knockouts
from zoo.genomics.logos import aligned_logo, logo
from zoo.genomics.motifs import Motif, Sites
from zoo.genomics.planted import Planted
from zoo.genomics.scan import base_frequencies, scan
from zoo.genomics.seqlets import find_seqlets
from zoo.genomics.sequences import PAD, Sequences, take

if TYPE_CHECKING:
    from zoo.genomics.model import PromoterDetector

RELEASE = "JASPAR2024"
CORE_PROMOTER_RELEASE = "JASPAR2020"  # the last release with the POLII collection (TATA box, initiator, ...)
MATCHES = 5  # of each motif
UNSPECIFIC = "More than 3 adjacent zinc fingers"  # a JASPAR family of 124 matrices with nothing in common
MAX_DISCOVERY = 3000  # positives in which motifs are looked for


@dataclass(frozen=True)
class Confirmed:
    """One motif with all that is known of it."""

    motif: Motif
    num_seqlets: int
    enriched: Enrichment
    knockout: Knockout
    matches: tuple[Match, ...]

    @property
    def confirmed(self) -> bool:
        """More frequent in the positives of the test sequences, and needed by the model."""
        return self.enriched.qvalue < 0.05 and self.knockout.confirms

    @property
    def best(self) -> Match | None:
        return self.matches[0] if self.matches and self.matches[0].qvalue < 0.05 else None

    @property
    def label(self) -> str:
        return f"{self.motif.name}  {self.best.name}" if self.best else self.motif.name


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
    seed: int = 0,
) -> Insight:
    """Motifs of `discovery` (positives), tested on `test` (labelled).

    background: sequences without the motifs. known: sites that are known to matter in each positive of `test`.
    planted: the whole answer, where it is known.
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
    elements = _core_elements(tested) if stranded else None
    covered = None if known is None else site_coverage(model, positives, tested.seen, known)
    found_of_planted = None if planted is None else recovered(planted, results)
    return _assemble(results, references, tested, covered, found_of_planted, elements, len(seqlets))


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


@dataclass(frozen=True, eq=False)
class CoreElements:
    table: pd.DataFrame
    sites: Sites
    sites_negative: Sites
    counts: tuple[int, int]


def _core_elements(tested: Tested) -> CoreElements:
    references = [r for r in load_jaspar(CORE_PROMOTER_RELEASE, "POLII", None) if r.motif.total_information >= MIN_BITS]
    here, there = (element_sites(references, codes, tested.letters) for codes in (tested.positive, tested.negative))
    counts, length = (len(tested.positive), len(tested.negative)), tested.positive.shape[1]
    evidence = tested.seen.score.numpy()
    table = placed_elements([r.name for r in references], here, there, *counts, length, evidence)
    return CoreElements(table, here, there, counts)


def recovered(planted: Planted, results: list[Confirmed]) -> pd.DataFrame:
    """One row for each planted factor with the confirmed motif that it was found as, if it was.

    A motif may stand for a factor if one of its five best matches is, at q < 0.05, the factor's matrix, another of
    the factor, or one of its JASPAR family (where the family is specific). It can stand for one factor only; as many
    as possible are matched, at the lowest q.
    """
    confirmed = [r for r in results if r.confirmed]
    hits = [[_best_hit(factor.reference, r) for r in confirmed] for factor in planted.factors]
    gain = np.array([[0 if hit is None else 1000 - np.log10(hit.qvalue + 1e-300) for hit in row] for row in hits])
    taken = dict(zip(*linear_sum_assignment(gain.reshape(len(hits), len(confirmed)), maximize=True), strict=True))
    rows = []
    for i, factor in enumerate(planted.factors):
        hit = hits[i][taken[i]] if i in taken else None
        rows.append(
            {
                "factor": factor.name,
                "matrix": factor.reference.matrix_id,
                "family": factor.reference.family,
                "planted as": factor.role,
                "tells the classes apart": "yes" if factor.name in planted.predictive else "no",
                "found as": confirmed[taken[i]].motif.name if hit else "",
                "by its match to": hit.name if hit else "",
                "match q": hit.qvalue if hit else float("nan"),
            }
        )
    return pd.DataFrame(rows)


def _best_hit(reference: Reference, result: Confirmed) -> Match | None:
    hits = [hit for hit in result.matches if hit.qvalue < 0.05 and _same(hit, reference)]
    return min(hits, key=lambda hit: hit.qvalue, default=None)


def _assemble(
    results: list[Confirmed],
    references: tuple[Reference, ...] | list[Reference],
    tested: Tested,
    covered: pd.DataFrame | None,
    planted: pd.DataFrame | None,
    elements: CoreElements | None,
    num_seqlets: int,
) -> Insight:
    confirmed = [r for r in results if r.confirmed]
    names = {r.motif.name: r.label for r in confirmed}
    motifs = [r.motif for r in confirmed]
    heads = heads_by_motif(tested.seen, tested.sites, list(names), tested.positive_lengths)
    tables = [Table("motifs", "Motifs", _motif_table(results, references), MOTIF_CAPTION)]
    headline = _headline(results, num_seqlets)
    if planted is not None:
        tables.append(Table("planted", "What was planted", planted, PLANTED_CAPTION))
        headline += "\n" + _planted_headline(planted)
    figures = []
    scores = {"motifs": len(confirmed), "motifs_in_jaspar": sum(r.best is not None for r in confirmed)}
    length = tested.positive.shape[1]
    if confirmed:
        counts = (len(tested.positive), len(tested.negative))
        where = pictures.positions(tested.sites, tested.sites_negative, names, length, *counts)
        figures.append(Figure("positions", "Where the motifs sit", where, POSITION_CAPTION))
    if elements is not None:
        tables.append(Table("core_elements", ELEMENT_TITLE, elements.table, ELEMENT_CAPTION))
        placed = {name: name for name in elements.table.element[elements.table.q < 0.05]}
        if placed:
            where = pictures.positions(elements.sites, elements.sites_negative, placed, length, *elements.counts)
            figures.append(Figure("core_elements", ELEMENT_TITLE, where, ELEMENT_CAPTION))
    profile = pictures.mean_evidence(tested.seen.score.numpy(), tested.seen_negative.score.numpy())
    figures.append(Figure("evidence", "Where the evidence lies", profile, EVIDENCE_CAPTION))
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
    return Insight(headline, tuple(tables), tuple(figures), files, scores)


POSITION_CAPTION = "Sites (p < 1e-4) in the test sequences."
EVIDENCE_CAPTION = "Mean attention x gradient at each position of the test sequences, all layers and heads."
PLANTED_CAPTION = (
    "Found: among the five best matches of a confirmed motif is, at q < 0.05, a matrix of the factor or of its "
    "JASPAR family. One motif stands for one factor."
)
ELEMENT_TITLE = "Core promoter elements"
ELEMENT_CAPTION = (
    f"{CORE_PROMOTER_RELEASE} POLII matrices on the strand as written, in the test sequences: the bases in which more "
    "positives than negatives have a site's centre (Fisher, Bonferroni over the windows, Benjamini-Hochberg over the "
    "elements). Not learnt, but a map of where this model's evidence should lie: evidence there over evidence at all "
    "sites of the element."
)
COVERAGE_TITLE = "Does the evidence land on the known sites?"
MOTIF_CAPTION = (
    "Found in the training and validation positives, tested on the test sequences. Confirmed: sites are more frequent "
    "in positives than in negatives (Fisher, Benjamini-Hochberg q < 0.05) and the logit falls further when a site is "
    "destroyed than when a window of that size elsewhere is (Wilcoxon, q < 0.05). JASPAR: best TOMTOM match, "
    f"{RELEASE} CORE vertebrates and {CORE_PROMOTER_RELEASE} POLII, q over the matrices of the database."
)
COVERAGE_CAPTION = (
    "Share of test positives with a known site whose window of 15 bases around the highest peak holds one whole."
)
HEAD_CAPTION = (
    "How many times denser a head's positive evidence is inside a motif's sites than over the same sequences; "
    "share: the head's part of all evidence."
)


def _same(hit: Match, planted: Reference) -> bool:
    if hit.name == planted.name:
        return True
    return hit.family == planted.family and planted.family not in ("", UNSPECIFIC)


def _planted_headline(planted: pd.DataFrame) -> str:
    telling, found = planted["tells the classes apart"] == "yes", planted["found as"] != ""
    missed = ", ".join(planted.factor[telling & ~found])
    return (
        f"Planted: {int((telling & found).sum())} of {int(telling.sum())} factors that tell the classes apart found"
        + (f" (not {missed})" if missed else "")
        + f"; {int((~telling & found).sum())} of {int((~telling).sum())} that do not."
    )


def _motif_table(results: list[Confirmed], references) -> pd.DataFrame:
    by_id = {r.matrix_id: r for r in references}
    rows = []
    for r in results:
        best = r.best
        rows.append(
            {
                "motif": r.motif.name,
                "logo": aligned_logo(r.motif, best, by_id[best.matrix_id]) if best else logo(r.motif),
                "confirmed": "yes" if r.confirmed else "no",
                "JASPAR": f"{best.name} ({best.matrix_id})" if best else "",
                "family": best.family if best else "",
                "match q": best.qvalue if best else float("nan"),
                "seqlets": r.num_seqlets,
                "in positives": r.enriched.n_with_pos / r.enriched.n_pos,
                "in negatives": r.enriched.n_with_neg / r.enriched.n_neg,
                "enrichment q": r.enriched.qvalue,
                "logit fall": r.knockout.fall,
                "fall elsewhere": r.knockout.elsewhere,
                "knock-out q": r.knockout.qvalue,
            }
        )
    columns = ["motif", "logo", "confirmed", "JASPAR", "family", "match q", "seqlets", "in positives",
               "in negatives", "enrichment q", "logit fall", "fall elsewhere", "knock-out q"]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)


def _headline(results: list[Confirmed], num_seqlets: int) -> str:
    confirmed = [r for r in results if r.confirmed]
    if not confirmed:
        return (
            "No motif: "
            + (f"{len(results)} candidates, but none is both more frequent in positives and needed by the model."
               if results else f"{num_seqlets} seqlets with nothing in common that held-out sequences confirm.")
        )  # fmt: skip
    lines = [f"{len(confirmed)} motifs in the attention, confirmed on sequences that took no part in finding them:"]
    for r in confirmed:
        name = f"{r.best.name} ({r.best.matrix_id}, q = {r.best.qvalue:.1e})" if r.best else "no match in JASPAR"
        shares = (r.enriched.n_with_pos / r.enriched.n_pos, r.enriched.n_with_neg / r.enriched.n_neg)
        held = "in {:.0%} of positives, {:.0%} of negatives".format(*shares)
        lines.append(f"  {r.motif.name:<20} {name}; {held}")
    return "\n".join(lines)


def _of(sites: Sites, names: set[str]) -> Sites:
    kept = np.flatnonzero([name in names for name in sites.motif])

    def rows(column):
        return tuple(column[i] for i in kept) if isinstance(column, tuple) else column[kept]

    return Sites(**{field: rows(getattr(sites, field)) for field in sites.__dataclass_fields__})
