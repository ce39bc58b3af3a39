"""What the pairs say to a reader: a table, a headline, the planted answer beside them."""

from __future__ import annotations

import pandas as pd

from zoo.genomics.cooperation import Cooperation
from zoo.genomics.placing import Planted

PAIR_TITLE = "Which motifs act together"
PAIR_CAPTION = (
    "Pairs of present motifs within 50 bases, in {tested_on}. Cooperates: destroying both sites costs the model less "
    "than the sum of destroying each, by 0.1 of the logit or more (epistasis; Wilcoxon over sequences, "
    "Benjamini-Hochberg q < 0.05). Orientation and spacing: where most pairs stand; placed p: so many there, "
    "were each motif indifferent to the other (Poisson, corrected for all spacings). Together p, at spacing p: more "
    "often in positives than in negatives (Fisher). Negative epistasis: either site alone would do."
)
SPACING_CAPTION = "Left: pairs of sites at each spacing, in the commonest orientation. Right: how they interact there."
NETWORK_CAPTION = "Orange: the motifs count for more together. Grey: either alone would do. Width: how much, in logits."
PLANTED_PAIR_CAPTION = (
    "Cooperating pairs make a positive at their spacing (+- 2); decoy pairs stand together in both classes alike. "
    "Spacing: between the planted matrices; spacing found: between the motifs, which may be wider or narrower."
)


def pair_headline(found: Cooperation, labels: dict[str, str]) -> str:
    """One line for each cooperating pair."""
    rows = found.cooperating
    if not len(found.table):
        return "Pairs: no two motifs stand in the same sequences often enough to ask."
    if not len(rows):
        return f"Pairs: of {len(found.table)} that share sequences, none counts for more together than apart."
    lines = [f"{len(rows)} of {len(found.table)} pairs of motifs count for more together than apart:"]
    for row in rows.itertuples():
        lines.append(
            f"  {labels[row.a]}  {row.orientation}  {labels[row.b]}, {row.spacing} bases apart: "
            f"{row.epistasis:+.2f} logits"
        )
    return "\n".join(lines)


def recovered_pairs(planted: Planted, factors: pd.DataFrame, found: Cooperation) -> pd.DataFrame:
    """One row for each planted pair, the decoys included: what the model is said to make of it.

    factors: the table of `zoo.genomics.recovered.recovered`, which tells the motif that each factor was found as.
    """
    motif = {row.factor: row for row in factors.rename(columns={"found as": "found_as"}).itertuples()}
    rows = []
    for pair, cooperates in [*((p, "yes") for p in planted.pairs), *((p, "no") for p in planted.decoy_pairs)]:
        seen = _row(found.table, motif[pair.first].found_as, motif[pair.second].found_as)
        rows.append(
            {
                "pair": pair.name,
                "planted as": "cooperating" if cooperates == "yes" else "decoy",
                "spacing": pair.spacing,
                "both found": "yes" if motif[pair.first].found_as and motif[pair.second].found_as else "no",
                "cooperates": "no" if seen is None else seen.cooperates,
                "spacing found": None if seen is None else seen.spacing,
                "epistasis": float("nan") if seen is None else seen.epistasis,
            }
        )
    return pd.DataFrame(rows)


def _row(table: pd.DataFrame, a: str, b: str):
    if not len(table) or not a or not b:
        return None
    mine = table[((table.a == a) & (table.b == b)) | ((table.a == b) & (table.b == a))]
    return next(mine.itertuples(), None)
