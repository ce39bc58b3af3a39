"""Where two of the parts meet: each case was wrong once, or would be by a small slip."""

from __future__ import annotations

import copy
import gc
import weakref

import pytest
import torch
import torch.nn.functional as F

import zoo.attention.blockwise as blockwise
from zoo.attention import (
    Attend,
    AttentionPool,
    Causal,
    Chunked,
    Dense,
    DenseBias,
    EdgeBias,
    Edges,
    Entropy,
    FullMap,
    GateGradient,
    Learned,
    OffsetBias,
    Packed,
    Padding,
    Received,
    ReceivedGradient,
    RelativeBias,
    Rollout,
    SlidingWindow,
    UniformBackbone,
    observe,
)


def test_a_checkpointed_block_is_seen_once():
    torch.manual_seed(0)
    model = UniformBackbone(20, 2, 2, checkpoint=True).train()
    received, gate = Received(), GateGradient()
    with observe(model, received, gate) as layers:
        model(torch.randn(3, 7, 20)).tokens.square().mean().backward()
    assert received.result()[layers[0]].shape == (3, 2, 7) and gate.result()[layers[0]].shape == (3, 2)


@pytest.mark.parametrize("n", [128, 1024])
def test_bfloat16_gradients_do_not_decay_with_the_number_of_blocks(n, monkeypatch):
    monkeypatch.setattr(blockwise, "BLOCK_ELEMENTS", 1)
    generator = torch.Generator().manual_seed(0)
    q, k, v = (torch.randn(1, 2, n, 8, generator=generator) for _ in range(3))
    exact, errors = None, []
    for dtype, watched in ((torch.float32, False), (torch.bfloat16, True), (torch.bfloat16, False)):
        given = [x.to(dtype).requires_grad_() for x in (3 * q, k, v)]
        attend = Attend()
        if watched:
            with observe(attend, Received()):
                out = attend(*given)
        else:
            out = attend(*given)
        gradients = torch.autograd.grad((out.float() + 1).square().sum(), given)
        if exact is None:
            exact = gradients
        else:
            errors.append([float((a.float() - b).norm() / b.norm()) for a, b in zip(gradients, exact, strict=True)])
    for ours, fused in zip(*errors, strict=True):
        assert ours < 2 * fused + 0.01


@pytest.mark.parametrize("queries, keys", [(1, 7), (5, 90), (90, 40), (40, 41)])
@pytest.mark.parametrize("mask", [SlidingWindow(3), SlidingWindow(20), Chunked(10), Causal()])
def test_queries_and_keys_of_different_numbers(mask, queries, keys):
    q, k, v = (torch.randn(2, 3, n, 4) for n in (queries, keys, keys))
    allowed = mask.rows(0, queries, keys, q.device)
    expected = F.scaled_dot_product_attention(q, k, v, attn_mask=allowed[None, None])
    torch.testing.assert_close(Attend()(q, k, v, mask), expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("mask", [Causal(), SlidingWindow(1), Packed.of_lengths([[3, 4], [7]])])
def test_a_pooling_query_reads_every_token_that_exists(mask):
    pool, x = AttentionPool(12, 3), torch.randn(2, 7, 12)
    torch.testing.assert_close(pool(x, mask), pool(x))
    there = Padding(torch.arange(7) < torch.tensor([7, 3])[:, None])
    torch.testing.assert_close(pool(x, there & Causal()), pool(x, there))


def test_packed_says_what_does_not_fit():
    q = torch.zeros(2, 1, 6, 4)
    with pytest.raises(ValueError, match="2 rows of 6"):
        Attend()(q, q, q, Packed(torch.zeros(1, 6, dtype=torch.long)))
    with pytest.raises(ValueError, match="several pieces"):
        Attend()(q[:1], q[:1], q[:1], Packed(torch.tensor([[0, 0, 1, 1, 0, 0]])))


def test_observers_of_gradients_keep_no_outputs_alive():
    attend, gate, alive = Attend(), GateGradient(), []
    with observe(attend, gate):
        for _ in range(3):
            q = torch.randn(1, 2, 5, 4, requires_grad=True)
            out = attend(q, q, q)
            out.sum().backward()
            alive.append(weakref.ref(out))
            del out
    gc.collect()
    assert [ref() for ref in alive] == [None] * 3


def test_a_copy_is_not_observed():
    model = UniformBackbone(20, 1, 2)
    with observe(model, Received()):
        twin = copy.deepcopy(model)
    with observe(twin, received := Received()):
        twin(torch.randn(2, 5, 20))
    assert received.result()["blocks.0.attention"].shape == (2, 2, 5)


def test_a_pass_without_gradients_is_no_pass_for_their_observers():
    attend, q = Attend(), torch.zeros(1, 1, 3, 2)
    with observe(attend, ReceivedGradient()), torch.no_grad(), pytest.raises(ValueError, match="none under no_grad"):
        attend(q, q, q)


@pytest.mark.parametrize("mask, bias", [
    (Edges(torch.tensor([0, 1]), torch.tensor([1, 0]), 4), None),
    (None, OffsetBias(torch.zeros(2, 6, requires_grad=True))),
])  # fmt: skip
def test_a_second_derivative_is_refused_and_not_wrong(mask, bias):
    q = torch.randn(1, 2, 4, 3, requires_grad=True)
    (gradient,) = torch.autograd.grad(Attend()(q, q, q, mask, bias).square().sum(), q, create_graph=True)
    with pytest.raises(RuntimeError):
        torch.autograd.grad(gradient.square().sum(), q)


def test_positions_that_count_do_not_read_places():
    model = UniformBackbone(20, 1, 2, positions=Learned(9, 20))
    with pytest.raises(ValueError, match="read no `places`"):
        model(torch.zeros(1, 4, 20), places=torch.zeros(1, 4, 1))


def test_edges_under_autocast_and_its_backward():
    model, edges = UniformBackbone(20, 1, 2), Edges(torch.tensor([0, 1, 2]), torch.tensor([1, 0, 2]), 3)
    with torch.autocast("cpu", torch.bfloat16), observe(model, Entropy()):
        model(torch.randn(2, 3, 20), edges).tokens.square().mean().backward()
    assert model.blocks[0].attention.qkv.weight.grad.isfinite().all()


def test_a_bias_on_edges_reaches_every_block_and_the_rollout():
    torch.manual_seed(0)
    allowed = torch.rand(6, 6) < 0.6
    allowed.fill_diagonal_(True)
    edges, model = Edges.of_mask(allowed), UniformBackbone(20, 2, 2).eval()
    value = torch.randn(1, 2, len(edges))
    dense = torch.zeros(1, 2, 6, 6)
    dense[:, :, edges.query, edges.key] = value[:, :, edges.order]
    x, rollout, full = torch.randn(3, 6, 20), Rollout(), FullMap()
    with torch.no_grad(), observe(model, rollout, full):
        out = model(x, edges, bias=EdgeBias(value, edges)).tokens
        torch.testing.assert_close(out, model(x, Dense(allowed), bias=DenseBias(dense)).tokens, atol=1e-5, rtol=1e-4)
    first, second = (a[:3].mean(1) for a in full.result().values())
    product = (second + torch.eye(6)) / 2 @ (first + torch.eye(6)) / 2
    torch.testing.assert_close(rollout.of(2), product[:, 2], atol=1e-5, rtol=1e-4)
    with pytest.raises(ValueError, match="a bias already"):
        UniformBackbone(20, 1, 2, positions=RelativeBias(2, 3))(x, bias=DenseBias(dense))
