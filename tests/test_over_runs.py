"""Means over runs: Student's interval, and no number where a run has none."""

import pandas as pd
import pytest
from scipy.stats import sem, t

from benchmarks.over_runs import over_runs, student


def test_the_interval_is_scipys():
    values = pd.Series([0.85, 0.92, 0.89])
    low, high = t.interval(0.95, 2, loc=values.mean(), scale=sem(values))
    assert student(values) == pytest.approx((values.mean(), low, high))


def test_each_kind_has_its_own_mean_and_words_have_none():
    rows = pd.DataFrame(
        [
            {"score": "a", "found": 1.0, "called": "", "within": "1 of 2", "run": "r"},
            {"score": "b", "found": 2.0, "called": 3, "within": "2 of 2", "run": "r"},
            {"score": "a", "found": 3.0, "called": "", "within": "2 of 2", "run": "q"},
            {"score": "b", "found": 2.0, "called": 3, "within": "2 of 2", "run": "q"},
        ]
    )
    first, second = over_runs(rows)
    assert first["score"] == "a" and first["found"].startswith("2.000 [") and first["called"] == ""
    assert second == {"score": "b", "found": "2.000 [2.000, 2.000]", "called": "3.000 [3.000, 3.000]"}
    assert over_runs(rows.iloc[1:])[1]["found"] == ""  # of one run alone
    assert over_runs(rows[["found", "run"]].iloc[[1, 3]]) == [{"found": "2.000 [2.000, 2.000]"}]
