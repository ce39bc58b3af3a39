"""What each head attends to before it has learned anything, and what purity means."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from zoo.attention import Attend
from zoo.graphs.graph import build_graph
from zoo.graphs.links import Links
from zoo.graphs.relation_heads import STEEP, RelationHeads, mass_by_relation, purity

GRAPH = build_graph(list("abc"), [0, 1, 0], [2, 2, 1], [0, 1, 0], [0.3, 0.5, 0.6], ("metal", "power"))


def attention(heads: RelationHeads) -> torch.Tensor:
    """[H, 4, 4]: agents and the outside, where no content speaks."""
    edges, bias = heads(Links.of([GRAPH]))
    q = torch.zeros(1, len(heads.gates), 4, 2)
    return Attend()(q, q, torch.eye(4).expand(1, len(heads.gates), 4, 4), edges, bias)[0]


def test_with_equal_content_attention_is_the_shares_of_cost_and_the_rest_is_outside():
    (head,) = attention(RelationHeads(1, 2, "unseen"))
    expected = [[0, 0, 0, 1], [0.6, 0, 0, 0.4], [0.3, 0.5, 0, 0.2], [0, 0, 0, 1]]
    torch.testing.assert_close(head, torch.tensor(expected), atol=1e-5, rtol=0)


def test_masked_heads_see_their_own_relation_and_put_the_others_outside():
    metal, power, again = attention(RelationHeads(3, 2, "masked"))
    torch.testing.assert_close(metal[2], torch.tensor([0.3, 0, 0, 0.7]), atol=1e-5, rtol=0)
    torch.testing.assert_close(power[2], torch.tensor([0, 0.5, 0, 0.5]), atol=1e-5, rtol=0)
    assert power[1].tolist() == [0, 0, 0, 1] and torch.equal(metal, again)


def test_learned_gates_scale_each_relation_and_get_gradients():
    heads = RelationHeads(1, 2, "biased")
    with torch.no_grad():
        heads.table.copy_(torch.logit(torch.tensor([[0.5, 0.1]])) / STEEP)
    (found,) = attention(heads)
    torch.testing.assert_close(found[2], torch.tensor([0.15, 0.05, 0, 0.8]), atol=1e-5, rtol=0)
    found[2, 1].backward()
    assert heads.table.grad[0, 1] > 0 and abs(heads.table.grad[0, 0]) < 1e-6


def test_a_pair_with_two_relations_is_one_edge():
    graph = build_graph("ab", [0, 0], [1, 1], [0, 1], [0.3, 0.2], ("metal", "power"))
    edges, _ = RelationHeads(2, 2, "masked")(Links.of([graph]))
    assert len(edges) == 1 + 3 and graph.shares.tolist() == [[0.3, 0.2]]


def test_mass_and_purity_by_hand():
    shares = torch.tensor([[0.3, 0.0], [0.0, 0.5], [0.2, 0.2]])
    mass = mass_by_relation(torch.tensor([[0.3, 0.0, 0.4], [0.1, 0.2, 0.0]]), shares, torch.ones(2, 2))
    torch.testing.assert_close(mass, torch.tensor([[0.5, 0.2], [0.1, 0.2]]))
    torch.testing.assert_close(purity(mass), torch.tensor([5 / 7, 2 / 3]))


def test_impurity_is_nothing_for_pure_heads_and_one_for_mixed():
    assert RelationHeads(3, 3, "masked").impurity == pytest.approx(0, abs=1e-4)
    assert RelationHeads(3, 3, "unseen").impurity == pytest.approx(1, abs=1e-4)


def test_layouts_are_made_once_for_the_same_links():
    links = Links.of([GRAPH])
    heads = RelationHeads(2, 2, "masked")
    assert heads(links)[0] is heads(links)[0] and heads(links)[0] is not RelationHeads(2, 2, "unseen")(links)[0]
    assert np.array_equal(links.buyer.numpy(), GRAPH.buyer)
