"""Total requirements by hand, the ceiling by hand, and planted chains that keep what they promise."""

from __future__ import annotations

import numpy as np
import pytest

from zoo.domain.errors import InputError
from zoo.graphs.baselines import exact_within
from zoo.graphs.leontief import ceiling, hop_distance, total_requirements, within_hops
from zoo.graphs.planted import plant_firms, plant_products, price_scenarios, relation_scenarios, shuffled

CHAIN = np.array([[0, 0, 0], [0.5, 0, 0], [0.2, 0.4, 0]])  # b buys half from a; c .2 from a and .4 from b


def test_total_requirements_by_hand():
    np.testing.assert_allclose(total_requirements(CHAIN), [[1, 0, 0], [0.5, 1, 0], [0.4, 0.4, 1]])
    circle = np.array([[0, 0.5], [0.5, 0]])
    np.testing.assert_allclose(total_requirements(circle), np.array([[4, 2], [2, 4]]) / 3)


def test_the_series_cut_off_by_hand():
    np.testing.assert_allclose(within_hops(CHAIN, 1), [[1, 0, 0], [0.5, 1, 0], [0.2, 0.4, 1]])
    np.testing.assert_allclose(within_hops(CHAIN, 2), total_requirements(CHAIN))


def test_distance_is_the_fewest_links_from_supplier_to_buyer():
    assert hop_distance(CHAIN).tolist() == [[0, np.inf, np.inf], [1, 0, np.inf], [1, 1, 0]]


def test_ceiling_by_hand():
    line = np.array([[0, 0, 0], [0.5, 0, 0], [0, 0.4, 0]])  # l: .5, .4 and, over two hops, .2
    assert ceiling([line], 1) == pytest.approx(1 - 0.04 / (0.25 + 0.16 + 0.04))
    assert ceiling([line], 2) == 1


def test_shares_that_leave_nothing_for_the_outside_have_no_prices():
    with pytest.raises(InputError, match="spectral radius"):
        total_requirements(np.array([[0, 1.0], [1.0, 0]]))


def test_a_bill_of_materials_goes_by_tiers_and_all_ways_are_equally_long():
    graph = plant_products(30, 5, seed=1)
    w = graph.matrix()
    assert (w.sum(1) <= 0.99).all() and np.isfinite(hop_distance(w)).sum() > 100
    reached, power = np.zeros((30, 30), dtype=int), np.eye(30)
    for _ in range(6):
        reached += power > 0
        power = power @ w
    assert reached.max() == 1, "two ways of different lengths would put the ceiling out of reach"
    assert not power.any(), "depth 5"


def test_prices_solve_their_equation():
    made = price_scenarios(plant_products(seed=2), 3, seed=0)
    prices = made.response + made.shocks[..., 0]
    np.testing.assert_allclose(prices, prices @ made.graph.matrix().T + made.shocks[..., 0], atol=1e-5)


def test_cut_off_after_l_hops_the_exact_series_reaches_the_ceiling():
    graphs = [plant_products(seed=i) for i in range(10)]
    for hops in (1, 3):
        made = [price_scenarios(g, 400, seed=i) for i, g in enumerate(graphs)]
        missed = sum(((exact_within(m.graph, m.shocks, hops, "prices") - m.response) ** 2).sum() for m in made)
        everything = sum((m.response**2).sum() for m in made)
        assert 1 - missed / everything == pytest.approx(ceiling([g.matrix() for g in graphs], hops), abs=0.01)


def test_each_relation_passes_its_own_shock_alone():
    graph = plant_firms(20, seed=0)
    shocks = relation_scenarios(graph, 1).shocks.copy()
    shocks[..., 1:] = 0
    expected = shocks[..., 0] @ graph.matrix(0).T
    np.testing.assert_allclose(exact_within(graph, shocks, 1, "relations"), expected, atol=1e-6)
    assert [(graph.shares[:, r] > 0).sum() for r in range(3)] == [40, 40, 40]


def test_the_control_keeps_the_links_and_moves_the_agents():
    graph = plant_products(seed=3)
    moved = shuffled(graph, seed=1)
    assert sorted(moved.shares.ravel()) == sorted(graph.shares.ravel())
    assert sorted(np.bincount(moved.buyer, minlength=30)) == sorted(np.bincount(graph.buyer, minlength=30))
    both = (moved.matrix() > 0) & (graph.matrix() > 0)
    assert both.sum() < 0.3 * len(graph.supplier)
