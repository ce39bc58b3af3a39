"""A motif with all that is known of it: the sites' enrichment, the model's need of it, its name; the table of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from zoo.genomics.by_head import NO_HEAD
from zoo.genomics.enrichment import Enrichment
from zoo.genomics.jaspar import CORE_PROMOTER_RELEASE, RELEASE, Match, Reference
from zoo.genomics.knockout import Knockout
from zoo.genomics.logos import aligned_logo, logo
from zoo.genomics.motifs import Motif

MATCH_CAPTION = (
    "TOMTOM: p of a match as good at the best offset and strand, E = p x matrices in the database, q by "
    "Benjamini-Hochberg over them."
)
MOTIF_CAPTION = (
    "Found in {found_in}, tested on {tested_on}. Confirmed: sites are more frequent in positives than in their "
    "dinucleotide shuffles (presence q: Fisher, Benjamini-Hochberg) and the logit falls further when a site is "
    "destroyed than when a window of that size elsewhere is (knock-out q: Wilcoxon; by 0.05 or more), or it acts in a "
    "pair (cooperates, or keeps a spacing), all at q < 0.05, in a model of AUROC {least} or more. Enrichment q: over "
    "the negatives; one that matters by its place or partner may lack it. "
    "What plain enrichment found and no head shows is asked for that too, or for a pair. What heads show of two motifs "
    "together is said of the pair. "
    "JASPAR: best TOMTOM match, "
    f"{RELEASE} CORE vertebrates and {CORE_PROMOTER_RELEASE} POLII, q over the matrices of the database."
)


@dataclass(frozen=True)
class Confirmed:
    """One motif with all that is known of it."""

    motif: Motif
    sources: tuple[str, ...]  # the heads in whose evidence it was found, or `NO_HEAD`
    num_seqlets: int
    present: Enrichment  # positives against their shuffles
    enriched: Enrichment  # positives against negatives
    knockout: Knockout
    matches: tuple[Match, ...]
    paired: bool = False  # it cooperates with another motif, or keeps a spacing to it (`zoo.genomics.cooperation`)
    asked: bool = True  # the model tells the classes apart, so that what it needs says something of them
    must_tell: bool = False  # to be needed is not enough: it must be commoner than in the other class, too

    @property
    def confirmed(self) -> bool:
        """More frequent in the positives of the test sequences than composition explains, and needed by a model that
        tells the classes apart, or one of a pair that acts. What no head showed and the model needs alone must tell the
        classes apart, too: a site that merely resembles one that matters is needed a little."""
        tells = self.enriched.qvalue < 0.05 or not (self.must_tell or NO_HEAD in self.sources)
        needed = self.knockout.confirms and tells
        return self.asked and self.present.qvalue < 0.05 and (needed or self.paired)

    @property
    def best(self) -> Match | None:
        return self.matches[0] if self.matches and self.matches[0].qvalue < 0.05 else None

    @property
    def label(self) -> str:
        return f"{self.motif.name}  {self.best.name}" if self.best else self.motif.name


def motif_table(results: Sequence[Confirmed], references: Sequence[Reference]) -> pd.DataFrame:
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
                "found in": ", ".join(r.sources[:3]) + (" ..." if len(r.sources) > 3 else ""),
                "seqlets": r.num_seqlets,
                "in positives": r.enriched.n_with_pos / r.enriched.n_pos,
                "in shuffles": r.present.n_with_neg / r.present.n_neg,
                "presence q": r.present.qvalue,
                "in negatives": r.enriched.n_with_neg / r.enriched.n_neg,
                "enrichment q": r.enriched.qvalue,
                "logit fall": r.knockout.fall,
                "fall elsewhere": r.knockout.elsewhere,
                "knock-out q": r.knockout.qvalue,
                "acts in a pair": "yes" if r.paired else "no",
            }
        )
    columns = ["motif", "logo", "confirmed", "JASPAR", "family", "match q", "found in", "seqlets", "in positives",
               "in shuffles", "presence q", "in negatives", "enrichment q", "logit fall", "fall elsewhere",
               "knock-out q", "acts in a pair"]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)


def match_table(results: Sequence[Confirmed]) -> pd.DataFrame:
    """The nearest matrices of each motif, the best first."""
    columns = ["motif", "matrix", "factor", "family", "strand", "offset", "overlap", "p", "E", "q"]
    rows = [
        (r.motif.name, m.matrix_id, m.name, m.family, m.strand, m.offset, m.overlap, m.pvalue, m.evalue, m.qvalue)
        for r in results
        for m in r.matches
    ]
    return pd.DataFrame(rows, columns=columns)


def headline(results: Sequence[Confirmed], num_seqlets: int) -> str:
    confirmed = [r for r in results if r.confirmed]
    if not confirmed:
        return (
            "No motif: "
            + (f"{len(results)} candidates, but none is both more frequent than in shuffles and needed by the model."
               if results else f"{num_seqlets} seqlets with nothing in common that held-out sequences confirm.")
        )  # fmt: skip
    count = "1 motif" if len(confirmed) == 1 else f"{len(confirmed)} motifs"
    lines = [f"{count}, confirmed on sequences that took no part in finding them:"]
    for r in confirmed:
        name = f"{r.best.name} ({r.best.matrix_id}, q = {r.best.qvalue:.1e})" if r.best else "no match in JASPAR"
        shares = (r.enriched.n_with_pos / r.enriched.n_pos, r.enriched.n_with_neg / r.enriched.n_neg)
        held = "in {:.0%} of positives, {:.0%} of negatives".format(*shares)
        seen = ", seen by no head" if NO_HEAD in r.sources else ""
        lines.append(f"  {r.motif.name:<20} {name}; {held}{seen}")
    return "\n".join(lines)
