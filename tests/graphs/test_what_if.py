"""Disruptions that cannot be are said in one sentence; absences are found in parts as at once."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from zoo.attention import UniformBackbone
from zoo.domain.errors import InputError
from zoo.domain.optim import AdamW
from zoo.graphs import insight
from zoo.graphs.encodings import DISTANCES, all_see_all, direct
from zoo.graphs.graph import build_graph
from zoo.graphs.influence import influence
from zoo.graphs.input_output import with_relations
from zoo.graphs.leontief import hop_distance
from zoo.graphs.model import PropagationModel
from zoo.graphs.planted import Scenarios, plant_products
from zoo.graphs.what_if import Disruption, what_if

LINE = with_relations(
    build_graph("xyz", [0, 1], [1, 2], [0, 0], [0.4, 0.2], ["sells"], np.ones((3, 2)), ["cost", "wage"]),
    ("sells", "lends"),
)


def model() -> PropagationModel:
    torch.manual_seed(0)
    return PropagationModel(UniformBackbone(12, 2, 2), AdamW(), LINE.feature_names, LINE.relations).eval()


@pytest.mark.parametrize(
    ("disruption", "said"),
    [
        (Disruption(relation="lends"), "no link has the relation 'lends'"),
        (Disruption(0, shock=1.0, feature=3), "there is no feature 3: they are numbered 0 to 1"),
        (Disruption(0, shock=1.0, feature=-1), "there is no feature -1"),
        (Disruption(0, shock=float("nan")), "shock=nan: expected a number"),
        (Disruption(7), "there is no agent 7"),
        (Disruption(relation="sells", shock=1.0), "can be removed but not shocked"),
    ],
)
def test_disruptions_that_cannot_be(disruption, said):
    with pytest.raises(InputError, match=said):
        what_if(model(), LINE, LINE.features, disruption)


def test_hops_of_an_agent_and_of_a_relation():
    for disruption, hops in ((Disruption(0, shock=1.0, feature=1), [0, 1, 2]), (Disruption(relation="sells"), [1, 1])):
        assert what_if(model(), LINE, LINE.features, disruption).hops.dropna().tolist() == hops


SCENARIOS = Scenarios(LINE, np.random.default_rng(0).normal(size=(2, 3, 2)).astype(np.float32), np.zeros((2, 3)))


def test_deletion_goes_a_few_copies_at_a_time_and_keeps_no_gradients(monkeypatch):
    asking, sizes = model(), []
    at_once = insight.deletion(asking, SCENARIOS)
    plain = asking.forward

    def watched(batch):
        sizes.append(len(batch.features))
        assert not torch.is_grad_enabled()
        return plain(batch)

    monkeypatch.setattr(asking, "forward", watched)
    monkeypatch.setattr(insight, "MOST_COPIES", 2)
    np.testing.assert_allclose(insight.deletion(asking, SCENARIOS), at_once, atol=1e-6)
    assert max(sizes) == 2 and len(sizes) == 2 * 3
    without = SCENARIOS.shocks[:, None].repeat(3, 1)
    without[:, np.arange(3), np.arange(3)] = 0
    change = [
        insight.respond(asking, LINE, w) - insight.respond(asking, LINE, SCENARIOS.shocks[i])
        for i, w in enumerate(without)
    ]
    np.testing.assert_allclose(at_once, np.abs(change).mean(0).T, atol=1e-6)


def test_the_feature_that_acts_most_is_shocked_and_named(monkeypatch):
    asking = model()
    found = influence(asking, LINE)
    loud = found._replace(gradient=found.gradient * np.array([1e-3, 1]))
    table, said = insight._disruption(asking, SCENARIOS, loud)
    assert said.startswith("'wage' of ")
    shocked = LINE.names.index(said[-1])
    expected = what_if(asking, LINE, SCENARIOS.shocks[0], Disruption(shocked, shock=1.0, feature=1))
    pd.testing.assert_frame_equal(table, expected)
    paths = insight.strongest_paths(found, LINE, 2)
    monkeypatch.setattr(insight, "alone", lambda *_: np.array([0.1, -0.5]))
    told = insight._paths(asking, LINE, paths)
    assert set(told.feature) == {"wage"} and set(told["effect alone"]) == {-0.5}


def test_where_all_see_all_hops_are_those_of_the_links():
    graph = plant_products(12, 2, seed=0)
    everyone = with_relations(all_see_all(graph), DISTANCES)
    assert np.array_equal(direct(everyone).matrix() > 0, graph.matrix() > 0) and direct(graph) is graph
    asking = PropagationModel(UniformBackbone(12, 2, 2), AdamW(), ["shock"], DISTANCES).eval()
    distance = hop_distance(graph.matrix())
    first = int(np.argwhere(distance == 2)[0, 1])
    table = what_if(asking, everyone, np.zeros((12, 1)), Disruption(first, shock=1.0))
    plain = distance[:, first]
    assert table.hops.dropna().tolist() == plain[np.isfinite(plain)].tolist() and table.hops.max() == 2
    made = Scenarios(everyone, np.zeros((1, 12, 1), dtype=np.float32), np.zeros((1, 12)))
    suppliers = insight._suppliers(made, influence(asking, everyone), 11, np.zeros((12, 12)))
    expected = distance[11, suppliers.number - 1]
    np.testing.assert_array_equal(suppliers.hops.to_numpy(float, na_value=np.inf), expected)
