"""What a planner does without a network, rerun on the very same days.

Axes: S days to forecast, n agents.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from zoo.graphs.windows import LEAST_LEVEL, WindowSet, same_weekday

ALPHAS = np.logspace(-2, 6, 9)
LAGS, OTHER_LAGS = 28, 7  # of the forecast signal, of the others
MOST = 20.0  # levels


def simple_forecasts(train: WindowSet, test: WindowSet, seed: int = 0) -> Mapping[str, Float[np.ndarray, "S n"]]:
    """All in units; the regressions are fitted on `train`, pooled over agents. Ridge works on levels (days divided by
    the mean of the window, weighted by it): on units it is far worse, on the days before the test."""
    sales, h = test.series.values[..., 0], test.horizon
    n = sales.shape[1]
    features = _table(test)
    known = _table(train)
    target = np.stack([sales[day] for day in train.days]).reshape(-1)
    before, now = _levels(train), _levels(test)
    ridge = make_pipeline(StandardScaler(), RidgeCV(ALPHAS))
    ridge.fit(_in_levels(known, before), target / before, ridgecv__sample_weight=before)
    boosted = HistGradientBoostingRegressor(
        loss="absolute_error", max_iter=300, learning_rate=0.05, max_leaf_nodes=15, random_state=seed
    ).fit(known, target)
    return {
        "all zero": np.zeros((len(test), n)),
        "last value": np.stack([sales[day - h] for day in test.days]),
        "7-day mean": np.stack([sales[day - h - 6 : day - h + 1].mean(0) for day in test.days]),
        "same weekday last week": np.stack([same_weekday(sales, day, h)[0] for day in test.days]),
        "4-week weekday mean": np.stack([same_weekday(sales, day, h).mean(0) for day in test.days]),
        "ridge on lags": np.maximum(ridge.predict(_in_levels(features, now)) * now, 0).reshape(-1, n),
        "gradient boosting, L1": np.maximum(boosted.predict(features), 0).reshape(-1, n),
    }


def _levels(windows: WindowSet) -> Float[np.ndarray, " rows"]:
    sales, h = windows.series.values[..., 0], windows.horizon
    means = [sales[day - h - LAGS + 1 : day - h + 1].mean(0) for day in windows.days]
    return np.maximum(np.concatenate(means), LEAST_LEVEL)


def _in_levels(table: Float[np.ndarray, "rows columns"], level: Float[np.ndarray, " rows"]) -> np.ndarray:
    """The weekday stays as it is."""
    return np.concatenate([np.minimum(table[:, :-7] / level[:, None], MOST), table[:, -7:]], 1)


def _table(windows: WindowSet) -> Float[np.ndarray, "rows columns"]:
    """A row for each day and agent: lags of all signals, the same weekday of four weeks, their mean, the mean of the
    window, the weekday, and the agent's own mean over the past."""
    values, n = windows.series.values, windows.series.values.shape[1]
    rows = []
    for day in windows.days:
        end = day - windows.horizon + 1
        lags = values[end - LAGS : end, :, 0].T
        others = values[end - OTHER_LAGS : end, :, 1:].transpose(1, 0, 2).reshape(n, -1)
        weeks = same_weekday(values[..., 0], day, windows.horizon).T
        weekday = np.zeros((n, 7))
        weekday[:, (windows.series.dates[0].day_of_week + day) % 7] = 1
        means = np.stack(
            [weeks.mean(1), np.median(weeks, 1), lags.mean(1), lags[:, -7:].mean(1), values[:end, :, 0].mean(0)], 1
        )
        rows.append(np.concatenate([lags, others, weeks, means, weekday], 1))
    return np.concatenate(rows)
