"""L layers see L hops, exactly: the gradient beyond is 0, the gradient within is not, and nothing else leaks."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.attention import UniformBackbone
from zoo.domain.optim import AdamW
from zoo.graphs.batch import collate
from zoo.graphs.graph import build_graph
from zoo.graphs.influence import influence
from zoo.graphs.leontief import hop_distance
from zoo.graphs.model import PropagationModel
from zoo.graphs.planted import Scenarios


def model_of(depth: int, relations=("a", "b"), features=("x", "y"), num_heads: int = 2, **settings) -> PropagationModel:
    torch.manual_seed(0)
    backbone = UniformBackbone(12, depth, num_heads, mlp_ratio=1.0)
    return PropagationModel(backbone, AdamW(), features, relations, **settings).double().eval()


def random_graph(n: int, links: int, seed: int, num_relations: int = 2):
    draw = np.random.default_rng(seed)
    pairs = draw.permutation([(i, j) for i in range(n) for j in range(n) if i != j])[:links]
    kind = np.arange(len(pairs)) % num_relations
    weight = draw.uniform(0.02, 0.9 / n, len(pairs))
    return build_graph([f"agent {i}" for i in range(n)], *pairs.T, kind, weight, ("a", "b")[:num_relations])


def scenarios(graph, count: int, num_features: int = 2, seed: int = 0) -> Scenarios:
    shocks = np.random.default_rng(seed).normal(size=(count, len(graph), num_features))
    return Scenarios(graph, shocks, np.zeros((count, len(graph))))


@settings(max_examples=12, deadline=None)
@given(n=st.integers(5, 13), share=st.floats(0.05, 0.3), depth=st.integers(1, 3), seed=st.integers(0, 10_000))
def test_the_gradient_is_zero_beyond_l_hops_and_not_within(n, share, depth, seed):
    graph = random_graph(n, max(2, int(share * n * (n - 1))), seed)
    model = model_of(depth)
    gradient = jacobian(model, graph, seed)
    distance = hop_distance(graph.matrix())
    assert (gradient[distance > depth] == 0).all(), "exactly, not nearly"
    assert (np.abs(gradient[distance <= depth]).max(-1) > 0).all()


def jacobian(model: PropagationModel, graph, seed: int) -> np.ndarray:
    """[i, j, F], in double precision, by autograd one output at a time: not by `influence`, whose turn it is below."""
    batch = collate([scenarios(graph, 1, seed=seed)])
    features = batch.features.double().requires_grad_()
    out = model(batch._replace(features=features, links=batch.links._replace(shares=batch.links.shares.double())))[0]
    return np.stack([torch.autograd.grad(y, features, retain_graph=True)[0][0].numpy() for y in out])


def test_masked_heads_let_a_relation_through_no_head_but_theirs():
    """a -> b by relation 'a', b -> c by relation 'b': one head, which has relation 'a', passes the first alone."""
    graph = build_graph(["a", "b", "c"], [0, 1], [1, 2], [0, 1], [0.5, 0.5], ("a", "b"))
    one = jacobian(model_of(3, num_heads=1, binding="masked"), graph, 0)
    two = jacobian(model_of(3, num_heads=2, binding="masked"), graph, 0)
    assert np.abs(one[1, 0]).max() > 0 and (one[2, :2] == 0).all()
    assert np.abs(two[1, 0]).max() > 0 and np.abs(two[2, :2]).min() > 0


def test_influence_is_the_jacobian_and_ignores_who_else_is_asked():
    graph = random_graph(7, 15, 3)
    model = model_of(2).float()
    at = scenarios(graph, 1, seed=5).shocks[0].astype(np.float32)
    found = influence(model, graph, at).gradient
    expected = jacobian(model_of(2), graph, 5)
    np.testing.assert_allclose(found, expected, atol=2e-5)


def test_a_graph_has_the_same_response_alone_and_beside_others():
    graphs = [random_graph(n, 2 * n, n) for n in (5, 7, 11)]
    model = model_of(2).float()
    items = [scenarios(g, 3, seed=len(g)) for g in graphs]
    with torch.no_grad():
        together = model(collate(items)).split([5, 7, 11], dim=1)
        alone = [model(collate([item])) for item in items]
    for a, b in zip(together, alone, strict=True):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-4)


def test_scenarios_do_not_see_each_other():
    graph = random_graph(7, 15, 3)
    model, item = model_of(2).float(), scenarios(graph, 3)
    changed = item._replace(shocks=np.concatenate([item.shocks[:1], 5 + item.shocks[1:]]))
    with torch.no_grad():
        a, b = model(collate([item])), model(collate([changed]))
    assert torch.equal(a[0], b[0]) and (a[1:] - b[1:]).abs().min() > 0


def test_the_numbering_of_agents_means_nothing():
    graph = random_graph(7, 15, 3)
    item = scenarios(graph, 2)
    place = np.random.default_rng(0).permutation(7)  # agent i becomes place[i]
    kind = graph.shares.argmax(1)
    moved = build_graph(
        ["?"] * 7, place[graph.supplier], place[graph.buyer], kind, graph.shares.max(1), graph.relations
    )
    shocks = np.empty_like(item.shocks)
    shocks[:, place] = item.shocks
    model = model_of(2).float()
    with torch.no_grad():
        a = model(collate([item]))
        b = model(collate([Scenarios(moved, shocks, item.response)]))
    torch.testing.assert_close(b[:, place], a, atol=1e-5, rtol=1e-4)


def test_prefix_tokens_are_refused():
    with pytest.raises(ValueError, match="num_prefix=1"):
        PropagationModel(UniformBackbone(12, 1, 2, num_prefix=1), AdamW(), ["x"], ["a"])
