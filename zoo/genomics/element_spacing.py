"""How far apart core promoter elements stand in one promoter: the TATA box and the initiator, about 30 bases."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd
from scipy.stats import false_discovery_control

from zoo.genomics.core_elements import CoreElements
from zoo.genomics.enrichment import fisher_greater
from zoo.genomics.motifs import Sites

MARGIN = 3  # bases on either side of the window in which an element is in excess
COLUMNS = ("element", "then", "start to start", "at it", "in positives", "in negatives", "q")
ELEMENT_SPACING_TITLE = "Spacing of core promoter elements"
ELEMENT_SPACING_CAPTION = (
    "Two elements that are in excess at places of their own, both in one sequence of {tested_on}, each within 3 bases "
    "of its place. Start to start: the commonest distance between their first bases; at it: the share of pairs that "
    "keep it. In positives, in negatives: sequences with both (Fisher, Benjamini-Hochberg over the pairs)."
)


def element_spacings(found: CoreElements) -> pd.DataFrame:
    """One row for each two elements of `found.placed` whose places do not touch, the nearer to the start first."""
    rows = []
    table = found.table[found.table.q < 0.05].sort_values("from base").to_dict("records")
    for first, second in combinations(table, 2):
        if second["from base"] - MARGIN < first["to base"] + MARGIN:
            continue
        apart = [_apart(sites, first, second) for sites in (found.sites, found.sites_negative)]
        held, counts = [len(distances) for distances in apart], found.counts
        if not held[0]:
            continue
        mode = int(np.bincount(apart[0]).argmax())
        rows.append(
            {
                "element": first["element"],
                "then": second["element"],
                "start to start": mode,
                "at it": float((apart[0] == mode).mean()),
                "in positives": held[0] / counts[0],
                "in negatives": held[1] / counts[1],
                "q": float(fisher_greater(held[0], counts[0], held[1], counts[1])),
            }
        )
    table = pd.DataFrame(rows, columns=COLUMNS)
    if len(table):
        table["q"] = false_discovery_control(table["q"])
    return table.sort_values("q", kind="stable", ignore_index=True)


def spacing_lines(table: pd.DataFrame) -> list[str]:
    return [
        f"  {row.element} and {row.then}: {row['start to start']} bases from start to start, both in "
        f"{row['in positives']:.0%} of positives, {row['in negatives']:.0%} of negatives (q = {row.q:.1e})"
        for _, row in table[table.q < 0.05].iterrows()
    ]


def _apart(sites: Sites, first: dict, second: dict) -> np.ndarray:
    """Distance of the two starts in each sequence that holds both; of several sites, those of the lowest p-value."""
    starts = [_starts(sites, element) for element in (first, second)]
    return np.array([starts[1][row] - starts[0][row] for row in starts[0].keys() & starts[1].keys()], dtype=int)


def _starts(sites: Sites, element: dict) -> dict[int, int]:
    centre = (sites.start + sites.end) // 2
    inside = (centre >= element["from base"] - MARGIN) & (centre < element["to base"] + MARGIN)
    mine = np.flatnonzero(inside & (np.array(sites.motif, dtype=object) == element["element"]))
    best: dict[int, int] = {}
    for i in mine[np.argsort(sites.pvalue[mine], kind="stable")]:
        best.setdefault(int(sites.sequence[i]), int(sites.start[i]))
    return best
