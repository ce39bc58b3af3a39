"""Numbers of agents, links and graphs: in the right order, of the right graph, and learned."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from zoo.attention import UniformBackbone
from zoo.domain.optim import AdamW
from zoo.graphs.batch import collate
from zoo.graphs.data import PlantedChains
from zoo.graphs.graph import build_graph
from zoo.graphs.model import PropagationModel
from zoo.graphs.planted import Scenarios
from zoo.graphs.readout import planted_answer

PAIR = build_graph("ab", [0], [1], [0], [0.5], ["sells"])
LINE = build_graph("xyz", [0, 1], [1, 2], [0, 0], [0.4, 0.2], ["sells"])


def model(asked: str) -> PropagationModel:
    torch.manual_seed(0)
    return PropagationModel(UniformBackbone(12, 1, 2), AdamW(), ["shock"], ["sells"], asked=asked)


def scenario(graph, asked: str) -> Scenarios:
    shocks = np.random.default_rng(len(graph)).normal(size=(3, len(graph), 1)).astype(np.float32)
    return Scenarios(graph, shocks, planted_answer(graph, shocks, shocks[..., 0], asked))


def test_planted_answers_by_hand():
    shocks, response = np.array([[[1.0], [0], [0]]]), np.array([[0.0, 0.4, 0.08]])
    np.testing.assert_allclose(planted_answer(LINE, shocks, response, "links"), [[0.4, 0.08]])
    np.testing.assert_allclose(planted_answer(LINE, shocks, response, "graphs"), [[0.16]])


@pytest.mark.parametrize(("asked", "count"), [("agents", (2, 3)), ("links", (1, 2)), ("graphs", (1, 1))])
def test_graphs_side_by_side_answer_as_each_alone(asked, count):
    first, second, asking = scenario(PAIR, asked), scenario(LINE, asked), model(asked).eval()
    both = asking(collate([first, second]))
    assert both.shape == (3, sum(count)) == collate([first, second]).response.shape
    alone = torch.cat([asking(collate([first])), asking(collate([second]))], 1)
    torch.testing.assert_close(both, alone, atol=1e-5, rtol=0)
    table = asking.predictions(collate([first, second]))
    assert len({len(column) for column in table.values()}) == 1


@pytest.mark.parametrize("asked", ["links", "graphs"])
def test_what_is_asked_is_learned(asked):
    data = PlantedChains(num_graphs=40, held_out=6, num_agents=8, depth=1, scenarios=8, asked=asked)
    fit, test = (collate(data.part(name).scenarios) for name in ("train", "test"))
    asking = PropagationModel(UniformBackbone(16, 1, 2, 1.0), AdamW(), ["shock"], ["is part of"], "unseen", asked=asked)
    optimizer = torch.optim.Adam(asking.parameters(), 5e-3)
    for _ in range(150):
        optimizer.zero_grad()
        asking.outcome(fit).loss.backward()
        optimizer.step()
    outcome = asking.eval().outcome(test)
    assert outcome.loss < 0.25 * outcome.target.var()
