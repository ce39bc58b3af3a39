"""Tables to shares of cost, by hand and against the real ones."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from realdata import real

from zoo.domain.errors import InputError
from zoo.graphs.input_output import (
    InputOutput,
    cost_shares,
    net_of_own_use,
    read_bea,
    read_pymrio,
    read_table,
    read_wiod,
    with_relations,
)
from zoo.graphs.leontief import total_requirements
from zoo.graphs.planted import ECONOMY, plant_economy

FARM = InputOutput(
    ("farm", "mill", "idle"),
    np.array([[20.0, 30, 0], [10, 0, 0], [0, 0, 0]]),
    np.array([100.0, 60, 0]),
    {"labour": np.array([40.0, 15, 0])},
)


def test_shares_by_hand():
    graph = cost_shares(FARM)
    assert graph.names == ("farm", "mill", "labour") and graph.relations == ("materials", "labour")
    np.testing.assert_allclose(graph.matrix(0), [[0, 10 / 80, 0], [30 / 60, 0, 0], [0, 0, 0]])
    np.testing.assert_allclose(graph.matrix(1)[:, 2], [40 / 80, 15 / 60, 0])


def test_taking_out_own_use_keeps_the_prices():
    """p = A'p + v: solved with own use, and without it after dividing by 1 - a_ii."""
    draw = np.random.default_rng(0)
    z = draw.uniform(0, 3, (5, 5))
    output = z.sum(0) + draw.uniform(2, 5, 5)
    primary = draw.uniform(0.5, 1.5, 5)
    whole = InputOutput(tuple("abcde"), z, output)
    net = net_of_own_use(whole)
    a, b = z / output, net.transactions / net.output
    prices = np.linalg.solve(np.eye(5) - a.T, primary)
    np.testing.assert_allclose(np.linalg.solve(np.eye(5) - b.T, primary / (1 - np.diag(a))), prices)
    standard = np.linalg.inv(np.eye(5) - a.T)
    np.testing.assert_allclose(np.linalg.inv(np.eye(5) - b.T), standard * (1 - np.diag(a)))


def test_a_sector_that_buys_too_much_is_refused():
    with pytest.raises(InputError, match=r"'a' buys for 3.00 times its output"):
        cost_shares(InputOutput(("a", "b"), np.array([[0.0, 1], [30, 0]]), np.array([10.0, 20])))


@pytest.mark.parametrize(
    ("transactions", "added", "said"),
    [
        (np.diag([1.0, 2]), {}, "no sector buys from another"),
        (np.zeros((2, 2)), {"labour": np.ones(2)}, "no sector buys from another"),
        (np.ones((2, 2)), {"materials": np.ones(2)}, "not a kind of value added"),
    ],
)
def test_tables_without_trade_are_refused(transactions, added, said):
    with pytest.raises(InputError, match=said):
        cost_shares(InputOutput(("a", "b"), transactions, np.array([10.0, 20]), added))


def test_own_tables_as_csv_and_xlsx(tmp_path):
    frame = pd.DataFrame(
        [[20, 30], [10, 0], [100, 60], [40, 15]], index=["farm", "mill", "output", "labour"], columns=["farm", "mill"]
    )
    frame.to_csv(tmp_path / "t.csv")
    frame.to_excel(tmp_path / "t.xlsx")
    for name in ("t.csv", "t.xlsx"):
        found = cost_shares(read_table(tmp_path / name))
        np.testing.assert_allclose(found.matrix(), cost_shares(FARM).matrix())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (",a,b\na,1,2\nb,1,2\n", "then a row 'output'"),
        (",a,b\nb,1,2\na,1,2\noutput,9,9\n", "down the first column"),
        (",a,b\na,1,x\nb,1,2\noutput,9,9\n", "row 'a', column 'b' is no number"),
        (",a,b\na,1,2\nb,1,2\noutput,9,9\nlabour,1,1\nlabour,2,2\n", "several rows are called labour"),
    ],
)
def test_tables_that_are_none(tmp_path, text, said):
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(InputError, match=said):
        read_table(tmp_path / "t.csv")


def test_bea_industries_buy_for_what_they_put_out():
    folder = real("graphs/bea-summary-2017")
    table = read_bea(
        folder / "Summary_Use_2017_PRO_AfterRedef_17sch.csv", folder / "Summary_Make_2017_AfterRedef_17sch.csv"
    )
    assert len(table.names) == 71
    total = table.transactions.sum(0) + sum(table.value_added.values())
    np.testing.assert_allclose(total, table.output, rtol=1e-3)
    graph = cost_shares(table)
    assert graph.relations == ECONOMY and len(graph) == 74
    prices = total_requirements(graph.matrix())
    # labour, taxes and capital are all there is in the end: a shock of 1 to all of them is 1 in every price
    np.testing.assert_allclose(prices[:71, 71:].sum(1), 1, atol=0.02)


def test_wiod_and_pymrio_are_read_whole():
    usa = read_wiod(real("graphs/wiod-niot-usa/USA_NIOT_nov16.xlsx"), 2014)
    assert len(usa.names) == 56 and 0.3 < usa.transactions.sum() / usa.output.sum() < 0.6
    with pytest.raises(InputError, match="2000 to 2014, not 1999"):
        read_wiod(real("graphs/wiod-niot-usa/USA_NIOT_nov16.xlsx"), 1999)
    small = cost_shares(read_pymrio(real("graphs/pymrio-test/trade_flows_Z.txt")))
    assert len(small) == 48 and small.names[0] == "reg1 food"


def test_a_graph_for_a_model_that_knows_more_relations():
    graph = cost_shares(FARM)
    wide = with_relations(graph, ECONOMY)
    assert wide.relations == ECONOMY
    np.testing.assert_allclose(wide.matrix(), graph.matrix())
    with pytest.raises(InputError, match="labour, which the model does not know"):
        with_relations(graph, ("materials",))


def test_a_planted_economy_is_paid_for_by_labour_taxes_and_capital():
    prices = total_requirements(plant_economy(12, seed=0).matrix())
    np.testing.assert_allclose(prices[:12, 12:].sum(1), 1, atol=1e-3)
