"""Findings in the field's own tables, pictures and files."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np

from zoo.domain.insight import Figure, Insight, Table
from zoo.genomics import against, beside_told, pair_pictures, pictures
from zoo.genomics.confirmed import MATCH_CAPTION, MOTIF_CAPTION, headline, match_table, motif_table
from zoo.genomics.core_elements import ELEMENT_CAPTION, ELEMENT_TITLE
from zoo.genomics.element_spacing import (
    ELEMENT_SPACING_CAPTION,
    ELEMENT_SPACING_TITLE,
    element_spacings,
    spacing_lines,
)
from zoo.genomics.evidence import heads_by_motif
from zoo.genomics.findings import LEAST_AUROC, Findings
from zoo.genomics.formats import to_bed, to_jaspar, to_meme
from zoo.genomics.partners import (
    NETWORK_CAPTION,
    PAIR_CAPTION,
    PAIR_TITLE,
    PLANTED_PAIR_CAPTION,
    SPACING_CAPTION,
    pair_headline,
    pair_table,
)
from zoo.genomics.recovered import PLANTED_CAPTION, planted_headline

POSITION_CAPTION = (
    "Sites in {tested_on}: at a p-value at which a random sequence holds one in twenty times, or the best word of a "
    "motif too short for that. A motif that keeps a place in anchored sequences is sought there alone."
)
EVIDENCE_CAPTION = "Mean attention x gradient at each position of {tested_on}, all layers and heads."
COVERAGE_TITLE = "Does the evidence land on the known sites?"
COVERAGE_CAPTION = (
    "Share of test positives with a known site whose window of 15 bases around the highest peak holds one whole."
)
HEAD_TITLE = "What each head looks at"
HEAD_CAPTION = (
    "How many times denser a head's positive evidence is inside a motif's sites than over the whole of the same "
    "sequences, the sites included; "
    "share: the head's part of all evidence."
)


def tell(found: Findings) -> Insight:
    """Everything, the motifs first."""
    parts = [
        _motifs(found),
        _against(found),
        _planted(found),
        _pairs(found),
        _beside(found),
        _elements(found),
        _evidence(found),
        _heads(found),
    ]
    return Insight(
        "\n".join(part.headline for part in parts if part.headline),
        tuple(table for part in parts for table in part.tables),
        tuple(figure for part in parts for figure in part.figures),
        {name: text for part in parts for name, text in part.files.items()},
        {name: score for part in parts for name, score in part.scores.items()},
    )


def _labels(found: Findings) -> dict[str, str]:
    return {r.motif.name: r.label for r in found.confirmed}


def _motifs(found: Findings) -> Insight:
    origin, tested, names = asdict(found.origin), found.tested, _labels(found)
    tables = (
        Table(
            "motifs",
            "Motifs",
            motif_table(found.motifs, found.references),
            MOTIF_CAPTION.format(**origin, least=LEAST_AUROC).replace("vertebrates", found.jaspar),
        ),
        Table("matches", "What JASPAR has like them", match_table(found.motifs), MATCH_CAPTION),
    )
    figures = ()
    if names:
        counts = (tested.positive.shape[1], len(tested.positive), len(tested.negative))
        where = pictures.positions(tested.sites, tested.sites_negative, names, *counts)
        figures = (Figure("positions", "Where the motifs sit", where, POSITION_CAPTION.format(**origin)),)
    motifs = [r.motif for r in found.confirmed]
    shown = tested.sites[np.isin(tested.sites.motif, list(names))]
    files = {
        "motifs.meme": to_meme(motifs, tested.letters),
        "motifs.jaspar": to_jaspar(motifs),
        "sites.bed": to_bed(shown, tested.names, tested.positive_lengths),
    }
    scores = {"motifs": len(motifs), "motifs_in_jaspar": sum(r.best is not None for r in found.confirmed)}
    said = headline(found.motifs, found.num_seqlets)
    if found.auroc < LEAST_AUROC:
        said = (
            f"The model does not tell the classes apart (AUROC {found.auroc:.2f}): nothing it looks at is confirmed.\n"
            + said
        )
    return Insight(said, tables, figures, files, scores)


def _against(found: Findings) -> Insight:
    if not found.against:
        return Insight("")
    confirmed = [r.motif for r in found.against if r.confirmed]
    table = Table("against", against.TITLE, against.against_table(found.against, found.references), against.CAPTION)
    files = {"against.meme": to_meme(confirmed, found.tested.letters)} if confirmed else {}
    scores = {"motifs_against": len(confirmed)}
    return Insight(against.against_headline(found.against), (table,), files=files, scores=scores)


def _planted(found: Findings) -> Insight:
    tables = []
    if found.planted is not None:
        tables.append(Table("planted", "What was planted", found.planted, PLANTED_CAPTION))
    if found.planted_pairs is not None:
        tables.append(Table("planted_pairs", "Which pairs were planted", found.planted_pairs, PLANTED_PAIR_CAPTION))
    return Insight("" if found.planted is None else planted_headline(found.planted), tuple(tables))


def _pairs(found: Findings) -> Insight:
    together = found.together
    if not len(together.table):
        return Insight(pair_headline(together, {}) if len(together.names) > 1 else "")
    pairs = pair_table(together)
    labels = {r.motif.name: r.label for r in found.motifs if r.motif.name in together.names}
    figures = [Figure("pairs", PAIR_TITLE, pair_pictures.network(pairs, labels), NETWORK_CAPTION)]
    told = together.table[(together.table.cooperates == "yes") | (together.table["keeps a spacing"] != "no")]
    if len(told):
        drawn = pair_pictures.spacings(together, told, labels)
        figures.append(Figure("spacings", "How far apart they stand", drawn, SPACING_CAPTION))
    table = Table("pairs", PAIR_TITLE, pairs, PAIR_CAPTION.format(**asdict(found.origin)))
    scores = {"pairs": len(together.cooperating)}
    return Insight(pair_headline(together, labels), (table,), tuple(figures), scores=scores)


def _beside(found: Findings) -> Insight:
    if not found.beside:
        return Insight("")
    labels = _labels(found)
    table = Table(
        "partners", beside_told.TITLE, beside_told.beside_table(found.beside),
        beside_told.CAPTION.format(**asdict(found.origin)),
    )  # fmt: skip
    shown = [b for b in found.beside if b.stands_out]
    figures = ()
    if shown:
        drawn = beside_told.beside_picture(shown, labels)
        figures = (Figure("partners", beside_told.TITLE, drawn, beside_told.FIGURE_CAPTION),)
    return Insight(beside_told.beside_headline(found.beside, labels), (table,), figures)


def _elements(found: Findings) -> Insight:
    elements = found.elements
    if elements is None:
        return Insight("")
    caption = ELEMENT_CAPTION.format(**asdict(found.origin))
    figures = ()
    if elements.placed:
        placed, length = {name: name for name in elements.placed}, found.tested.positive.shape[1]
        where = pictures.positions(elements.sites, elements.sites_negative, placed, length, *elements.counts)
        figures = (Figure("core_elements", ELEMENT_TITLE, where, caption),)
    tables = [Table("core_elements", ELEMENT_TITLE, elements.table, caption)]
    spacings = element_spacings(elements)
    if len(spacings):
        said = ELEMENT_SPACING_CAPTION.format(**asdict(found.origin))
        tables.append(Table("element_spacings", ELEMENT_SPACING_TITLE, spacings, said))
    return Insight("\n".join([elements.headline, *spacing_lines(spacings)]), tuple(tables), figures)


def _evidence(found: Findings) -> Insight:
    tested, covered = found.tested, found.covered
    profile = pictures.mean_evidence(tested.seen.score.numpy(), tested.seen_negative.score.numpy())
    caption = EVIDENCE_CAPTION.format(**asdict(found.origin))
    figure = Figure("evidence", "Where the evidence lies", profile, caption)
    if covered is None or not len(covered):
        return Insight("", figures=(figure,))
    landed = Figure("coverage", COVERAGE_TITLE, pictures.site_coverage(covered), COVERAGE_CAPTION)
    scores = {f"coverage/{r.evidence.replace(' ', '_')}": float(r.coverage) for r in covered.itertuples()}
    table = Table("coverage", COVERAGE_TITLE, covered, COVERAGE_CAPTION)
    return Insight("", (table,), (figure, landed), scores=scores)


def _heads(found: Findings) -> Insight:
    tested, names = found.tested, _labels(found)
    table = heads_by_motif(tested.seen, tested.sites, list(names), tested.positive_lengths)
    figures = (Figure("heads", HEAD_TITLE, pictures.heads(table, names), HEAD_CAPTION),) if names else ()
    return Insight("", (Table("heads", HEAD_TITLE, table, HEAD_CAPTION),), figures)
