"""How far apart core promoter elements stand in one promoter: the TATA box and the initiator, about 30 bases."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd
from scipy.stats import false_discovery_control

from zoo.genomics.core_elements import CoreElements
from zoo.genomics.enrichment import fisher_greater
from zoo.genomics.motifs import Sites

MOST = 3  # lines
MARGIN = 3  # bases on either side of the window in which an element is in excess
COLUMNS = ("element", "then", "start to start", "at it", "in positives", "in negatives", "together q")
ELEMENT_SPACING_TITLE = "Spacing of core promoter elements"
ELEMENT_SPACING_CAPTION = (
    "Two elements that are in excess at places of their own, both in one sequence of {tested_on}, each within 3 bases "
    "of its place. Start to start: the commonest distance between their first bases; at it: the share of pairs that "
    "keep it. In positives, in negatives: sequences with both. Together q: more positives hold both than if those with "
    "one were indifferent to the other (Fisher, Benjamini-Hochberg over the pairs)."
)


def element_spacings(found: CoreElements) -> pd.DataFrame:
    """One row for each two elements of `found.placed` whose places do not touch, the nearer to the start first."""
    rows = []
    table = found.table[found.table.q < 0.05].sort_values("from base").to_dict("records")
    for first, second in combinations(table, 2):
        if second["from base"] - MARGIN < first["to base"] + MARGIN:
            continue
        starts = [[_starts(sites, e) for e in (first, second)] for sites in (found.sites, found.sites_negative)]
        (a, b), both = starts[0], [x.keys() & y.keys() for x, y in starts]
        if not both[0]:
            continue
        apart = np.array([b[row] - a[row] for row in both[0]])
        mode = int(np.bincount(apart).argmax())
        n_pos, n_neg = found.counts
        rows.append(
            {
                "element": first["element"],
                "then": second["element"],
                "start to start": mode,
                "at it": float((apart == mode).mean()),
                "in positives": len(both[0]) / n_pos,
                "in negatives": len(both[1]) / n_neg,
                "together q": float(fisher_greater(len(both[0]), len(a), len(b) - len(both[0]), n_pos - len(a))),
            }
        )
    table = pd.DataFrame(rows, columns=COLUMNS)
    if len(table):
        table["together q"] = false_discovery_control(table["together q"])
    return table.sort_values("in positives", ascending=False, kind="stable", ignore_index=True)


def spacing_lines(table: pd.DataFrame) -> list[str]:
    return [
        f"  {row.element} and {row.then}: {row['start to start']} bases from start to start, both in "
        f"{row['in positives']:.0%} of positives, {row['in negatives']:.0%} of negatives"
        + (f"; more often than if indifferent (q = {row['together q']:.1e})" if row["together q"] < 0.05 else "")
        for _, row in table.head(MOST).iterrows()
    ]


def _starts(sites: Sites, element: dict) -> dict[int, int]:
    """sequence -> start of the element in its place, of several sites that of the lowest p-value."""
    centre = (sites.start + sites.end) // 2
    inside = (centre >= element["from base"] - MARGIN) & (centre < element["to base"] + MARGIN)
    mine = np.flatnonzero(inside & (np.array(sites.motif, dtype=object) == element["element"]))
    best: dict[int, int] = {}
    for i in mine[np.argsort(sites.pvalue[mine], kind="stable")]:
        best.setdefault(int(sites.sequence[i]), int(sites.start[i]))
    return best
