"""Forecasts know nothing of the day they forecast, simple ones are right by hand, and links are used where they
help."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from realdata import real

from zoo.attention import UniformBackbone
from zoo.domain.errors import InputError
from zoo.domain.optim import AdamW
from zoo.graphs.accuracy import accuracy, accuracy_table, nearly_zero
from zoo.graphs.forecast import Forecaster
from zoo.graphs.forecast_baselines import simple_forecasts
from zoo.graphs.forecast_data import joined
from zoo.graphs.forecast_insight import other_links
from zoo.graphs.graph import build_graph
from zoo.graphs.links import Links
from zoo.graphs.planted import shuffled
from zoo.graphs.series import DailySeries, read_own_series, read_supplygraph
from zoo.graphs.windows import WindowSet, input_width


def ring(n: int):
    """Agent i is supplied by agent i - 1."""
    buyer = np.arange(n)
    return build_graph([f"agent {i}" for i in buyer], (buyer - 1) % n, buyer, [0] * n, [0.9] * n, ["sells"])


def series_of(values: np.ndarray) -> DailySeries:
    return DailySeries(ring(values.shape[1]), pd.date_range("2023-01-01", periods=len(values)), values, ("sales", "x"))


def drawn(days: int = 120, n: int = 5, seed: int = 0) -> DailySeries:
    return series_of(np.random.default_rng(seed).poisson(20, (days, n, 2)).astype(float))


@settings(max_examples=15, deadline=None)
@given(horizon=st.integers(1, 15), day=st.integers(60, 119), seed=st.integers(0, 99))
def test_what_is_not_known_yet_changes_nothing(horizon, day, seed):
    series = drawn()
    changed = series.values.copy()
    changed[day - horizon + 1 :] = np.random.default_rng(seed).uniform(0, 99, changed[day - horizon + 1 :].shape)
    before, after = (WindowSet(series_of(v), [day], 28, horizon) for v in (series.values, changed))
    for a, b in zip(before[0][:3], after[0][:3], strict=True):
        assert np.array_equal(a, b)
    last = series.values.copy()
    last[day - horizon] += 50
    assert not np.array_equal(WindowSet(series_of(last), [day], 28, horizon)[0][0], before[0][0])


@pytest.mark.parametrize("horizon", [1, 7])
def test_simple_forecasts_know_nothing_of_the_day_either(horizon):
    series, fit_days, day = drawn(), range(45, 60), 100
    changed = series.values.copy()
    changed[day - horizon + 1 :] = 7
    found = [
        simple_forecasts(WindowSet(s, fit_days, 28, horizon), WindowSet(s, [day], 28, horizon))
        for s in (series, series_of(changed))
    ]
    for name, forecast in found[0].items():
        assert np.array_equal(forecast, found[1][name]), name


def test_simple_forecasts_by_hand():
    values = np.zeros((60, 1, 2))
    values[:, 0, 0] = np.arange(60)
    alone = build_graph("a", [], [], [], [], [])
    series = DailySeries(alone, pd.date_range("2023-01-01", periods=60), values, ("s", "x"))

    def of_day_55(horizon: int) -> dict[str, float]:
        parts = (WindowSet(series, days, 28, horizon) for days in (range(40, 50), [55]))
        return {name: float(value[0, 0]) for name, value in simple_forecasts(*parts).items()}

    one, week = of_day_55(1), of_day_55(7)
    assert (one["all zero"], one["last value"], one["7-day mean"]) == (0, 54, 51)
    assert (one["same weekday last week"], one["4-week weekday mean"]) == (48, 37.5)
    assert (week["last value"], week["7-day mean"], week["same weekday last week"]) == (48, 45, 48)


def test_what_is_mixed_by_hand():
    values = np.zeros((60, 1, 2))
    values[:, 0, 0] = np.arange(60)
    series = DailySeries(build_graph("a", [], [], [], [], []), pd.date_range("2023-01-01", periods=60), values, "sx")
    _, level, simple, *_ = WindowSet(series, [55])[0]
    always = np.arange(6, 55, 7).mean()
    np.testing.assert_allclose(simple[0, :6] * level[0], [48, 37.5, 37.5, 51, always, always], rtol=1e-5)
    assert simple[0, 6] * level[0] == pytest.approx(np.arange(27, 55).mean() * always / (27 + 1), rel=1e-5)


def test_accuracy_by_hand():
    past = np.array([[0.0, 0]] * 7 + [[10.0, 0]] * 7)  # a week before: 10 off each day
    sales = np.array([[8.0, 0], [0, 3]])
    found = accuracy(np.array([[4.0, 0], [0, 1]]), sales, past)
    assert found["MAE"] == 1.5 and found["RMSE"] == pytest.approx(20**0.5 / 2)
    assert found["WAPE"] == pytest.approx(6 / 11)
    assert found["sMAPE"] == pytest.approx((8 / 12 + 4 / 4) / 4) and found["MASE"] == pytest.approx(0.2)
    assert nearly_zero(past).tolist() == [False, True]
    table = accuracy_table({"zero": np.zeros((2, 2))}, sales, past)
    assert table["MAE, selling"][0] == 4 and table["MAE, nearly zero"][0] == 1.5


def forecaster(n_signals: int = 2, **changes) -> Forecaster:
    torch.manual_seed(0)
    signals = ["sales", "x", "y", "z"][:n_signals]
    return Forecaster(UniformBackbone(16, 1, 2), AdamW(), signals, ["sells"], **changes)


def test_forecasts_start_at_a_mixture_are_ordered_and_never_negative():
    series = drawn()
    series.values[:, 2] = 0
    batch = WindowSet.collate([WindowSet(series, range(60, 80))[i] for i in range(20)])
    model = forecaster().eval()
    assert batch.inputs.shape == (20, 5, input_width(2, 28))
    with torch.no_grad():
        weights = torch.tensor([1.0, np.e, 1, 1, 1, 1, 1]) / (6 + np.e)
        mixed = (batch.simple * weights).sum(-1)
        torch.testing.assert_close(model(batch)[..., 1], (mixed + 0.05) * batch.level, rtol=1e-3, atol=1e-3)
        start = model(batch)
        torch.nn.init.normal_(model.head.weight, std=0.3)
        quantiles = model(batch)
    assert (quantiles >= 0).all() and (quantiles.diff(dim=-1) >= 0).all() and not torch.allclose(quantiles, start)


def test_links_help_where_one_agent_sells_what_another_sold_the_day_before_and_shuffled_links_do_not():
    n, draw = 12, np.random.default_rng(0)
    values = np.zeros((180, n, 2))
    values[0, :, 0] = draw.uniform(5, 35, n)
    for day in range(1, 180):
        values[day, :, 0] = np.where(np.arange(n) % 2 == 0, draw.uniform(5, 35, n), np.roll(values[day - 1, :, 0], 1))
    right = series_of(values)
    assert 1.3 * _trained_error(right, right.graph) < _trained_error(right, shuffled(right.graph, seed=3))


def _trained_error(series: DailySeries, graph) -> float:
    """MAE of the followers on the last days, after 150 steps on those before."""
    items = WindowSet(series, range(35, 180))
    batch = WindowSet.collate([items[i] for i in range(len(items))])._replace(links=Links.of([graph]))
    model = forecaster(dropout=0.0)
    optimizer = torch.optim.AdamW(model.parameters(), 3e-3)
    fit, test = (_days(batch, part) for part in (slice(0, 115), slice(115, None)))
    for _ in range(150):
        optimizer.zero_grad()
        model.outcome(fit).loss.backward()
        optimizer.step()
    with torch.no_grad():
        return float((model(test)[..., 1] - test.target)[:, 1::2].abs().mean())


def _days(batch, part):
    return batch._replace(**{k: getattr(batch, k)[part] for k in ("inputs", "level", "simple", "target")})


def test_supplygraph_is_aligned_by_position():
    series = read_supplygraph(real("graphs/supplygraph"))
    names = series.graph.names
    twice = [i for i, name in enumerate(names) if name == "POP001L12P"]
    assert twice == [12, 20] and series.values.shape == (221, 41, 4)
    assert not np.array_equal(series.values[:, 12], series.values[:, 20])
    assert series.values[0, 12, 0] == 1250 and series.values[1, 20, 0] == 461
    assert [(series.graph.shares[:, r] > 0).sum() / 2 for r in range(4)] == [360, 179, 48, 665]


@pytest.mark.parametrize("how", ["given", "shuffled", "none", "all"])
def test_each_way_to_join_fits_the_same_model(how):
    graph = ring(7)
    assert joined(graph, how).relations == graph.relations
    links = {"given": 7, "shuffled": 7, "none": 0, "all": 42}
    assert len(joined(graph, how).supplier) == links[how]


def test_links_of_other_agents_are_no_control_where_all_are_joined_with_all():
    assert list(other_links(ring(7))) == ["links taken away", "links of other agents"]
    assert list(other_links(joined(ring(7), "all"))) == ["links taken away"]
    assert list(other_links(joined(ring(7), "none"))) == []


@pytest.mark.parametrize("horizon", [1, 7])
def test_a_window_is_enough_to_forecast_from_and_one_day_less_is_said(tmp_path, horizon):
    (tmp_path / "agents.csv").write_text("name\na\nb\n")
    (tmp_path / "links.csv").write_text("supplier,buyer\na,b\n")
    model = forecaster(window=28, horizon=horizon).eval()

    def opened(days: int, **how):
        dates = pd.date_range("2024-01-01", periods=days)
        for signal in model.signals:
            pd.DataFrame({"date": dates, "a": 1.0, "b": 2.0}).to_csv(tmp_path / f"{signal}.csv", index=False)
        return model.open_input(tmp_path, **how)

    assert model(next(iter(opened(28)))).isfinite().all()
    assert len(next(iter(opened(28 + horizon, labelled=True))).day) == 1
    with pytest.raises(InputError, match="has 27 days, and at least 28 are needed"):
        opened(27)
    with pytest.raises(InputError, match=f"has {27 + horizon} days, and at least {28 + horizon} are needed"):
        opened(27 + horizon, labelled=True)


def test_own_series_are_read_or_refused(tmp_path):
    (tmp_path / "agents.csv").write_text("name\na\nb\n")
    (tmp_path / "links.csv").write_text("supplier,buyer\na,b\n")

    def read(text: str):
        (tmp_path / "sales.csv").write_text(text)
        return read_own_series(tmp_path, ["sales"], ["sells"])

    assert read("date, a,b\n2024-01-01,1,2\n2024-01-02,3,4\n").values[..., 0].tolist() == [[1, 2], [3, 4]]
    for text, said in (
        ("date,a\n2024-01-01,1\n", "1 columns beside the date, for 2 agents"),
        ("date,a,b\n2024-01-01,1,2\n2024-01-03,3,4\n", "after 2024-01-01 comes 2024-01-03"),
        ("date,a,b\n2024-01-01,1,-2\n", "sales of 'b' on 2024-01-01 is -2.0"),
        ("date,a,b\n2024-01-01,1,\n", "sales of 'b' on 2024-01-01 is nan"),
        ("date,a,b\n2024-01-01,1,x\n", "something else than numbers"),
        ("date,a,b\nsoon,1,2\n", "something else than dates"),
        ("date,b,a\n2024-01-01,1,2\n", "the columns of sales are not in the order of agents.csv"),
        ("date,x,y\n2024-01-01,1,2\n", "headed x, y: expected the names, or the ids, of agents.csv"),
        ("date,a,a\n2024-01-01,1,2\n", "headed a, a: expected the names"),
        ("date,a,b\n2024-01-01,1e300,2\n", "is 1e\\+300: expected a number from 0 to 1e\\+30"),
        ("date,a,b\n", "sales has no days"),
    ):
        with pytest.raises(InputError, match=said):
            read(text)


def test_own_series_may_be_headed_by_names_that_repeat_or_by_ids(tmp_path):
    (tmp_path / "agents.csv").write_text("id,name\n07,mill\n08,mill\n")
    (tmp_path / "links.csv").write_text("supplier,buyer\n07,08\n")
    for heading in ("mill,mill", "07,08"):
        (tmp_path / "sales.csv").write_text(f"date,{heading}\n2024-01-01,1,2\n")
        assert read_own_series(tmp_path, ["sales"], ["sells"]).values[..., 0].tolist() == [[1, 2]]
    (tmp_path / "sales.csv").write_text("date,08,07\n2024-01-01,1,2\n")
    with pytest.raises(InputError, match="not in the order of"):
        read_own_series(tmp_path, ["sales"], ["sells"])
