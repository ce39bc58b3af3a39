"""What the pairs say to a reader: a table, a headline, the planted answer beside them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.stats import false_discovery_control, wilcoxon

from zoo.genomics.confirmed import Confirmed
from zoo.genomics.cooperation import FDR, MIN_EPISTASIS, MIN_PAIRS, Cooperation
from zoo.genomics.placing import Planted
from zoo.genomics.recovered import best_hit

PAIR_TITLE = "Which motifs act together"
PAIR_CAPTION = (
    "Pairs of present motifs within 50 bases, in {tested_on} (of motifs that keep a place, weaker words there count "
    "too). Cooperates: destroying both sites costs the model less "
    "than the sum of destroying each, by 0.5 of the logit or more (epistasis; Wilcoxon over sequences, "
    "Benjamini-Hochberg q < 0.05). Orientation and spacing: where most pairs stand; placed q: so many there, "
    "were each motif indifferent to the other (Poisson). Together q, at spacing q: more often in positives than in "
    "negatives (Fisher). Keeps a spacing: at spacing q < 0.05 and placed q < 0.05; 'places' where the second fails and "
    "both motifs keep a place of their own, which is then all that is known. All for +- 2 bases, corrected for all "
    "orientations, spacings and pairs. "
    "Either alone would do: negative epistasis, by the same test and limit as cooperation."
)
SPACING_CAPTION = (
    "Left: pairs of sites at each spacing, in the table's orientation; line: expected in positives, if each motif kept "
    "its own places and were indifferent to the other. Right: how the two interact there, and in "
    "how many pairs of sites that was measured."
)
NETWORK_CAPTION = (
    "All pairs of the table. Lines: they count for more together, or either alone would do (width: how much, in "
    "logits); diamonds: they stand at a spacing. A ring around a motif: with itself. Thin: tested, and nothing found."
)
PLANTED_PAIR_CAPTION = (
    "Cooperating pairs make a positive at their spacing (+- 2); decoy pairs stand together in both classes alike. "
    "Spacing: between the planted matrices; spacing found: between the motifs, which may be wider or narrower."
)


def pair_headline(found: Cooperation, labels: dict[str, str]) -> str:
    """One line for each cooperating pair."""
    rows = found.cooperating
    if not len(found.table):
        return "Pairs: no two motifs stand in the same sequences often enough to ask."
    lines = [f"Pairs: of {len(found.table)} that share sequences, none counts for more together than apart."]
    if len(rows):
        lines = [f"{len(rows)} of {len(found.table)} pairs of motifs count for more together than apart:"]
    for row in rows.itertuples():
        lines.append(
            f"  {labels[row.a]}  {row.orientation}  {labels[row.b]}, {row.spacing} bases apart: "
            f"{row.epistasis:+.2f} logits"
        )
    for some, how in ((found.spaced, "keep a spacing"), (found.placed, "stand at a spacing, each at its own place")):
        if len(some):
            lines.append(f"{len(some)} of {len(found.table)} pairs of motifs {how}:")
        for _, row in some.iterrows():
            lines.append(
                f"  {labels[row.a]}  {row.orientation}  {labels[row.b]}, {row.spacing} bases apart in "
                f"{row['at spacing']:.0%} of positives, {row['at spacing, negatives']:.0%} of negatives"
            )
    return "\n".join(lines)


def pair_table(found: Cooperation) -> pd.DataFrame:
    """The pairs, and for each whether either motif alone would do: destroying both costs the model more than the sum of
    destroying each, by `MIN_EPISTASIS` or more (Wilcoxon over the positives, Benjamini-Hochberg over the pairs)."""
    pvalues = []
    for row in found.table.itertuples():
        where = (found.pairs.a == found.names.index(row.a)) & (found.pairs.b == found.names.index(row.b))
        each = found.pairs[where & found.pairs.positive].groupby("sequence").epistasis.mean().dropna()
        flat = len(each) < MIN_PAIRS or np.allclose(each, 0)
        pvalues.append(1.0 if flat else float(wilcoxon(each, alternative="less").pvalue))
    alone = (false_discovery_control(pvalues) < FDR) & (found.table.epistasis <= -MIN_EPISTASIS)
    table = found.table.copy()
    table.insert(3, "either alone would do", np.where(alone, "yes", "no"))
    return table


def recovered_pairs(planted: Planted, results: Sequence[Confirmed], found: Cooperation) -> pd.DataFrame:
    """One row for each planted pair, the decoys included: what the model is said to make of it.

    Of all motifs that may stand for a factor (`zoo.genomics.recovered`), those that cooperate, else those that keep a
    spacing, else those that interact most are taken.
    """
    motifs = {
        factor.name: {r.motif.name for r in results if r.confirmed and best_hit(factor.reference, r) is not None}
        for factor in planted.factors
    }
    rows = []
    for pair, role in [*((p, "cooperating") for p in planted.pairs), *((p, "decoy") for p in planted.decoy_pairs)]:
        seen = _strongest(found.table, motifs[pair.first], motifs[pair.second])
        rows.append(
            {
                "pair": pair.name,
                "planted as": role,
                "spacing": pair.spacing,
                "both found": "yes" if motifs[pair.first] and motifs[pair.second] else "no",
                "cooperates": "no" if seen is None else seen.cooperates,
                "keeps a spacing": "no" if seen is None else seen["keeps a spacing"],
                "spacing found": None if seen is None else seen["spacing"],
                "epistasis": float("nan") if seen is None else seen.epistasis,
            }
        )
    return pd.DataFrame(rows).astype({"spacing found": "Int64"})


def _strongest(table: pd.DataFrame, a: set[str], b: set[str]):
    if not len(table):
        return None
    mine = table[(table.a.isin(a) & table.b.isin(b)) | (table.a.isin(b) & table.b.isin(a))]
    best_first = mine.sort_values(["cooperates", "keeps a spacing", "epistasis"], ascending=False)
    return next((row for _, row in best_first.iterrows()), None)
