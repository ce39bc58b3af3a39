"""Several runs of one benchmark: means over them, with Student's interval."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.stats import t

NOT_AVERAGED = ("run", "low", "high", "sequences")
CAPTION = "95 % interval over runs, Student's t, not cut at what is possible; empty where a run has no number"


def student(values: pd.Series) -> tuple[float, float, float]:
    """Mean, and the ends of its 95 % interval; at least two values."""
    half = float(t.ppf(0.975, len(values) - 1) * values.std() / len(values) ** 0.5)
    return float(values.mean()), float(values.mean() - half), float(values.mean() + half)


def over_runs(rows: pd.DataFrame) -> list[dict[str, object]]:
    """One row for each kind of evidence or score: every number's mean, with its interval over the runs.

    rows: of all runs, named in the column `run`; columns of words are left out.
    """
    labels, runs = [c for c in rows if c in ("evidence", "score")], rows["run"].nunique()
    rows = rows.drop(columns=[c for c in NOT_AVERAGED if c in rows])
    rows = rows.assign(**{c: pd.to_numeric(rows[c], errors="coerce") for c in rows if c not in labels})
    numbers = [c for c in rows if c not in labels and rows[c].notna().any()]
    groups = rows.groupby(labels, sort=False) if labels else [((), rows)]
    return [
        dict(zip(labels, label, strict=True)) | {name: _cell(group[name], runs) for name in numbers}
        for label, group in groups
    ]


def _cell(values: pd.Series, runs: int) -> str:
    if len(values) < runs or not np.isfinite(values).all():
        return ""
    mean, low, high = student(values)
    return f"{mean:.3f} [{low:.3f}, {high:.3f}]"
