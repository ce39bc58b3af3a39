"""Core promoter elements in anchored sequences: TATA box, initiator and their like sit at fixed places.

The matrices are JASPAR's POLII collection (Bucher's 1990 matrices among them), in pyjaspar to the release of 2020.
An element such as the initiator occurs everywhere by chance; what tells is where it occurs more often in promoters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float, UInt8
from numpy.lib.stride_tricks import sliding_window_view
from scipy.stats import false_discovery_control

from zoo.genomics.enrichment import fisher_greater
from zoo.genomics.jaspar import CORE_PROMOTER_RELEASE, Reference, load_jaspar
from zoo.genomics.motifs import Sites
from zoo.genomics.scan import scan

WINDOW = 3  # bases
MIN_BITS = 4.0  # a looser matrix (the downstream BRE has 1.3) finds its neighbours


ELEMENT_TITLE = "Core promoter elements"
ELEMENT_CAPTION = (
    f"{CORE_PROMOTER_RELEASE} POLII matrices on the strand as written, in {{tested_on}}: the bases in which more "
    "positives than negatives have a site's centre (Fisher, Bonferroni over the windows, Benjamini-Hochberg over the "
    "elements). Not learnt, but a map of where this model's evidence should lie: evidence there over evidence at all "
    "sites of the element."
)


@dataclass(frozen=True, eq=False)
class CoreElements:
    """Where the elements are in excess (see `placed_elements`), and their sites in positives and negatives."""

    table: pd.DataFrame
    sites: Sites
    sites_negative: Sites
    counts: tuple[int, int]  # of positives and negatives

    @property
    def placed(self) -> tuple[str, ...]:
        """The elements with q < 0.05."""
        return tuple(self.table.element[self.table.q < 0.05])

    @property
    def headline(self) -> str:
        if not self.placed:
            return "No core promoter element is in excess at one place."
        lines = ["Core promoter elements in excess at one place:"]
        for _, row in self.table[self.table.q < 0.05].iterrows():
            lines.append(
                f"  {row.element:<20} bases {row['from base']} to {row['to base']} (q = {row.q:.1e}); "
                f"in {row['in positives']:.0%} of positives, {row['in negatives']:.0%} of negatives; "
                f"{row['evidence there / anywhere']:.1f} times the evidence of the same words anywhere"
            )
        return "\n".join(lines)


def core_elements(
    positive: UInt8[np.ndarray, "n_pos length"],
    negative: UInt8[np.ndarray, "n_neg length"],
    background: Float[np.ndarray, " 4"],
    evidence: Float[np.ndarray, "n_pos length"],
) -> CoreElements:
    """JASPAR's core promoter elements in anchored sequences; evidence: of each base of the positives."""
    references = [r for r in load_jaspar(CORE_PROMOTER_RELEASE, "POLII", None) if r.motif.total_information >= MIN_BITS]
    here, there = (element_sites(references, codes, background) for codes in (positive, negative))
    counts, names = (len(positive), len(negative)), [r.name for r in references]
    return CoreElements(placed_elements(names, here, there, *counts, positive.shape[1], evidence), here, there, counts)


def element_sites(
    references: Sequence[Reference], codes: UInt8[np.ndarray, "n length"], background: Float[np.ndarray, " 4"]
) -> Sites:
    """The sites of each matrix on the strand as written.

    A matrix of b bits tells its sites from 2^b random places, so p < 2^-b is asked of each: the initiator, with under
    five bits, has no site at the usual 1e-4.
    """
    motifs = [reference.motif.renamed(reference.name) for reference in references]
    return Sites.concatenate(
        scan([motif], codes, background, 2**-motif.total_information, stranded=True) for motif in motifs
    )


def placed_elements(
    names: Sequence[str],
    positive: Sites,
    negative: Sites,
    n_pos: int,
    n_neg: int,
    length: int,
    evidence: Float[np.ndarray, "n_pos length"],
) -> pd.DataFrame:
    """One row for each element: the `WINDOW` bases in which more positives than negatives have its site's centre.

    q: Fisher's one-sided p of the best window times the number of windows (Bonferroni), then Benjamini-Hochberg
    over the elements. evidence: mean evidence at the sites in that window over the mean at all its sites.
    """
    rows = []
    for name in names:
        here, there = (_presence(sites, name, n, length) for sites, n in ((positive, n_pos), (negative, n_neg)))
        with_pos, with_neg = here.sum(0), there.sum(0)  # [windows]
        pvalues = np.array([fisher_greater(a, n_pos, b, n_neg) for a, b in zip(with_pos, with_neg, strict=True)])
        best = int(pvalues.argmin())
        rows.append(
            {
                "element": name,
                "from base": best,
                "to base": best + WINDOW,
                "in positives": with_pos[best] / n_pos,
                "in negatives": with_neg[best] / n_neg,
                "evidence there / anywhere": _relative_evidence(positive, name, best, evidence),
                "q": min(1.0, float(pvalues[best]) * len(pvalues)),
            }
        )
    table = pd.DataFrame(rows)
    table["q"] = false_discovery_control(table["q"])
    return table.sort_values("q", kind="stable", ignore_index=True)


def _presence(sites: Sites, name: str, n: int, length: int) -> np.ndarray:
    """bool [n, length - WINDOW + 1]: has the sequence a site whose centre lies in the window?"""
    mine = np.array(sites.motif, dtype=object) == name
    there = np.zeros((n, length), bool)
    there[sites.sequence[mine], ((sites.start[mine] + sites.end[mine]) // 2)] = True
    return sliding_window_view(there, WINDOW, axis=1).any(-1)


def _relative_evidence(sites: Sites, name: str, window: int, evidence: np.ndarray) -> float:
    mine = np.flatnonzero(np.array(sites.motif, dtype=object) == name)
    total = np.pad(np.cumsum(evidence, axis=1), ((0, 0), (1, 0)))
    start, end, row = sites.start[mine], sites.end[mine], sites.sequence[mine]
    mean = (total[row, end] - total[row, start]) / (end - start)
    centre = (start + end) // 2
    inside = (centre >= window) & (centre < window + WINDOW)
    anywhere = mean.mean() if len(mean) else 0.0
    return float(mean[inside].mean() / anywhere) if inside.any() and anywhere > 0 else float("nan")
