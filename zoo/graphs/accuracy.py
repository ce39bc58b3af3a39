"""How good forecasts are, in the field's measures.

MASE (Hyndman & Koehler 2006): a series' MAE divided by the MAE, on the days before the test, of saying what was sold a
week before; mean over the series that sold anything then. Series that hardly ever sell are reported apart: 0 is nearly
right for them, and their MASE has next to nothing to divide by.

Axes: S days, n series.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float

WEEK = 7
RARE = 0.2  # share of past days with any sales, below which a series is nearly zero


def naive_error(past: Float[np.ndarray, "T n"]) -> Float[np.ndarray, " n"]:
    return np.abs(past[WEEK:] - past[:-WEEK]).mean(0)


def nearly_zero(past: Float[np.ndarray, "T n"]) -> Bool[np.ndarray, " n"]:
    return (past > 0).mean(0) < RARE


def accuracy(
    forecast: Float[np.ndarray, "S n"], sales: Float[np.ndarray, "S n"], past: Float[np.ndarray, "T n"]
) -> dict[str, float]:
    """MAE and RMSE in units; WAPE and sMAPE as shares (sMAPE of two zeros is 0)."""
    miss = np.abs(forecast - sales)
    both = np.abs(forecast) + np.abs(sales)
    scale = naive_error(past)
    return {
        "MAE": float(miss.mean()),
        "RMSE": float(np.sqrt((miss**2).mean())),
        "WAPE": float(miss.sum() / np.abs(sales).sum()) if sales.any() else float("nan"),
        "sMAPE": float(np.divide(2 * miss, both, out=np.zeros_like(miss), where=both > 0).mean()),
        "MASE": float((miss.mean(0)[scale > 0] / scale[scale > 0]).mean()) if (scale > 0).any() else float("nan"),
    }


def accuracy_table(
    forecasts: Mapping[str, Float[np.ndarray, "S n"]], sales: Float[np.ndarray, "S n"], past: Float[np.ndarray, "T n"]
) -> pd.DataFrame:
    """One row for each forecast: all series, and MAE and MASE of those that sell and of those that hardly do."""
    rare = nearly_zero(past)
    rows = []
    for name, forecast in forecasts.items():
        row = {"forecast": name, **accuracy(forecast, sales, past)}
        for label, some in (("selling", ~rare), ("nearly zero", rare)):
            if some.any() and not some.all():
                part = accuracy(forecast[:, some], sales[:, some], past[:, some])
                row |= {f"MAE, {label}": part["MAE"], f"MASE, {label}": part["MASE"]}
        rows.append(row)
    return pd.DataFrame(rows)
