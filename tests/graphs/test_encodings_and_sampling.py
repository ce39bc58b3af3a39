"""Encodings by hand; parts of a graph that answer as the whole does."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from zoo.attention import UniformBackbone
from zoo.domain.errors import InputError
from zoo.domain.optim import AdamW
from zoo.graphs.batch import collate
from zoo.graphs.data import PlantedChains
from zoo.graphs.encodings import DISTANCES, ENCODINGS, Standing, all_see_all, degrees, laplacian, random_walk
from zoo.graphs.graph import build_graph
from zoo.graphs.model import PropagationModel
from zoo.graphs.planted import plant_firms, shuffled
from zoo.graphs.sampling import Suppliers, respond_in_parts
from zoo.graphs.what_if import respond

LINE = build_graph(list("abcd"), [0, 1], [1, 2], [0, 0], [0.5, 0.25], ["sells"])  # a -> b -> c, and d alone


def test_encodings_by_hand():
    two = np.log(2)
    np.testing.assert_allclose(degrees(LINE), [[0, two, 0], [two, two, 0.5], [two, 0, 0.25], [0, 0, 0]])
    np.testing.assert_allclose(random_walk(LINE, 2), [[0, 0.5], [0, 1], [0, 0.5], [1, 1]])
    assert laplacian(LINE, 5).shape == (4, 5)


def test_laplacian_vectors_are_those_of_the_laplacian():
    graph = plant_firms(12, seed=0)
    w = (graph.matrix() > 0) | (graph.matrix() > 0).T
    root = 1 / np.sqrt(w.sum(1))
    matrix = np.eye(12) - root[:, None] * w * root
    found = laplacian(graph, 3)
    for vector, value in zip(found.T, np.linalg.eigvalsh(matrix)[1:4], strict=True):
        np.testing.assert_allclose(matrix @ vector, value * vector, atol=1e-9)


def test_all_see_all_by_distance():
    found = all_see_all(LINE, farthest=2)
    assert found.relations == ("1 hop", "2 hops", "farther") and len(found.supplier) == 12
    np.testing.assert_allclose(found.matrix(1)[2], [1 / 3, 0, 0, 0])
    np.testing.assert_allclose(found.matrix(2)[2], [0, 0, 0, 1 / 3])

    np.testing.assert_allclose(found.matrix(0)[1], [0.5 / 3, 0, 0, 0])


def model(**settings) -> PropagationModel:
    torch.manual_seed(0)
    kinds = ("materials", "services", "energy")
    return PropagationModel(UniformBackbone(12, 2, 2), AdamW(), ["shock"], kinds, **settings).eval()


def test_what_is_encoded_reaches_the_model_and_signs_are_drawn_in_training_alone():
    graphs = (plant_firms(12, seed=0), plant_firms(15, seed=1))
    told = Standing(ENCODINGS, 3).eval()
    assert told(graphs).shape == (27, told.width) and torch.equal(told(graphs), told(graphs))
    torch.testing.assert_close(told.train()(graphs).abs(), told.eval()(graphs).abs())
    assert not torch.equal(torch.stack([told.train()(graphs) for _ in range(8)]).std(0).max(), torch.tensor(0.0))
    quiet = np.zeros((12, 1))
    plain, knowing = (respond(model(encodings=kinds), graphs[0], quiet) for kinds in ((), ENCODINGS))
    alike = respond(model(), graphs[0], quiet)
    assert np.array_equal(plain, alike) and np.std(knowing) > 10 * np.std(plain)


@pytest.mark.parametrize("kind", ["products", "firms"])
def test_the_global_mode_joins_all_by_distance(kind):
    data = PlantedChains(kind, num_graphs=2, held_out=1, num_agents=14, depth=2, scenarios=2, sight="all")
    for scenarios in data.part("train").scenarios:
        assert scenarios.graph.relations == DISTANCES and len(scenarios.graph.supplier) == 14 * 13
    assert collate(data.part("train").scenarios).links.shares.shape == (2 * 14 * 13, 5)


def test_training_on_parts_asks_for_some_agents_and_gives_what_they_need():
    data = PlantedChains("firms", num_graphs=3, held_out=1, num_agents=40, depth=2, scenarios=2, targets=4, hops=2)
    whole, part = data.part("valid")[0], data.part("train")[0]
    assert len(whole.graph) == 40 and not np.isnan(whole.response).any()
    assert (~np.isnan(part.response)).sum(1).tolist() == [4, 4] and len(part.graph) <= 40
    batch = collate([part, data.part("train")[1]])
    triple = PropagationModel(UniformBackbone(12, 2, 2), AdamW(), ["a", "b", "c"], part.graph.relations)
    assert triple.outcome(batch).prediction.shape == (16,)
    assert not np.array_equal(part.shocks, data.part("train")[0].shocks)


def test_with_all_suppliers_a_part_answers_as_the_whole():
    graph, shocks = plant_firms(60, seed=0), np.random.default_rng(0).normal(size=(60, 1))
    whole = respond(model(), graph, shocks)
    np.testing.assert_allclose(respond_in_parts(model(), graph, shocks, at_once=7), whole, atol=1e-5)
    one = Suppliers(graph).around([5, 3], hops=1)
    assert one.agents[:2].tolist() == [5, 3] and len(one.agents) <= 2 + 12 and len(one.graph.supplier) == 12


def test_drawn_suppliers_stand_for_all():
    graph = plant_firms(60, seed=0)
    part = Suppliers(graph).around(np.arange(10), hops=2, most=3, seed=1)
    asked = np.bincount(part.graph.buyer, minlength=len(part.agents))
    assert asked.max() == 3
    drawn = part.graph.bought[:10] > 0
    np.testing.assert_allclose(part.graph.bought[:10][drawn], graph.bought[:10][drawn])


def test_unknown_targets_are_refused():
    with pytest.raises(InputError, match="numbered 0 to 3"):
        Suppliers(LINE).around([4], hops=1)


def test_a_shuffled_graph_can_be_taken_apart_too():
    graph = shuffled(plant_firms(20, seed=0))
    part = Suppliers(graph).around(np.arange(20), hops=0)
    assert len(part.graph.supplier) == 0 and len(part.agents) == 20
