"""Which of the planted factors were found."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment

from zoo.genomics.confirmed import Confirmed
from zoo.genomics.jaspar import Match, Reference
from zoo.genomics.placing import Planted

UNSPECIFIC = "More than 3 adjacent zinc fingers"  # a JASPAR family of 124 matrices with nothing in common
PLANTED_CAPTION = (
    "Found: among the five best matches of a confirmed motif is, at q < 0.05, a matrix of the factor or of its "
    "JASPAR family. One motif stands for one factor."
)


def recovered(planted: Planted, results: list[Confirmed]) -> pd.DataFrame:
    """One row for each planted factor with the confirmed motif that it was found as, if it was.

    A motif may stand for a factor if one of its five best matches is, at q < 0.05, the factor's matrix, another of
    the factor, or one of its JASPAR family (where the family is specific). It can stand for one factor only; as many
    as possible are matched, at the lowest q.
    """
    confirmed = [r for r in results if r.confirmed]
    hits = [[best_hit(factor.reference, r) for r in confirmed] for factor in planted.factors]
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


def best_hit(reference: Reference, result: Confirmed) -> Match | None:
    hits = [hit for hit in result.matches if hit.qvalue < 0.05 and _same(hit, reference)]
    return min(hits, key=lambda hit: hit.qvalue, default=None)


def _same(hit: Match, planted: Reference) -> bool:
    if hit.name == planted.name:
        return True
    return hit.family == planted.family and planted.family not in ("", UNSPECIFIC)


def planted_headline(planted: pd.DataFrame) -> str:
    telling, found = planted["tells the classes apart"] == "yes", planted["found as"] != ""
    missed = ", ".join(planted.factor[telling & ~found])
    return (
        f"Planted: {int((telling & found).sum())} of {int(telling.sum())} factors that tell the classes apart found"
        + (f" (not {missed})" if missed else "")
        + f"; {int((~telling & found).sum())} of {int((~telling).sum())} that do not."
    )
