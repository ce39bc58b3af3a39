"""Observers against the whole matrix, and the promise to leave the model as it was."""

from __future__ import annotations

import pytest
import torch

import zoo.attention.blockwise as blockwise
from zoo.attention import (
    Attend,
    AttentionPool,
    Entropy,
    FullMap,
    Observer,
    Padding,
    Received,
    ReceivedGradient,
    Rotary,
    UniformBackbone,
    observe,
)


@pytest.fixture
def backbone():
    torch.manual_seed(0)
    return UniformBackbone(dim=20, depth=3, num_heads=2, dropout=0.0, positions=Rotary(), num_prefix=1).eval()


@pytest.fixture(params=[1, 1 << 22])
def any_block_size(request, monkeypatch):
    monkeypatch.setattr(blockwise, "BLOCK_ELEMENTS", request.param)


def test_reducers_equal_the_same_reductions_of_the_full_map(backbone, any_block_size):
    x = torch.randn(3, 7, 20)
    mask = Padding(torch.arange(7) < torch.tensor([7, 5, 2])[:, None])
    full, received, entropy = FullMap(), Received(), Entropy()
    with observe(backbone, full, received, entropy) as layers:
        backbone(x, mask)
    assert layers == [f"blocks.{i}.attention" for i in range(3)]
    for layer in layers:
        a = full.result()[layer]  # 8 = 1 class token + 7
        assert a.shape == (3, 2, 8, 8)
        torch.testing.assert_close(a.sum(-1)[0], torch.ones(2, 8))
        assert a[2, :, :, 3:].eq(0).all(), "padding was seen"
        assert a[2, :, 3:].eq(0).all(), "padding was asked"
        torch.testing.assert_close(received.result()[layer], a.sum(-2))
        torch.testing.assert_close(entropy.result()[layer], torch.special.entr(a).sum(-1))


def test_received_gradient_equals_the_explicit_product_and_the_value_identity(any_block_size):
    """sum_i A_ij dL/dA_ij, by autograd through an explicit A, by the observer, and as v_j . dL/dv_j."""
    generator = torch.Generator().manual_seed(3)
    q, k, v = (torch.randn(2, 3, 7, 5, generator=generator).requires_grad_() for _ in range(3))
    weight = torch.randn(2, 3, 7, 5, generator=generator)
    a = (q @ k.transpose(-2, -1) / 5**0.5).softmax(-1)
    (d_a,) = torch.autograd.grad(((a @ v).tanh() * weight).sum(), a)
    attend, signed, positive = Attend(), ReceivedGradient(), ReceivedGradient(positive=True)
    with observe(attend, signed, positive):
        (d_v,) = torch.autograd.grad((attend(q, k, v).tanh() * weight).sum(), v)
    torch.testing.assert_close(signed.result()[""], (a * d_a).sum(-2))
    torch.testing.assert_close(positive.result()[""], (a * d_a).clamp(min=0).sum(-2))
    torch.testing.assert_close(signed.result()[""], (v * d_v).sum(-1))


def test_accumulates_over_passes(backbone):
    received = Received()
    with observe(backbone, received):
        first = backbone(torch.randn(2, 7, 20))
        backbone(torch.randn(5, 7, 20))
    assert received.result()["blocks.0.attention"].shape == (7, 2, 8)
    assert first.tokens.shape == (2, 8, 20)


def test_pooling_query_is_nobodys_token():
    pool = AttentionPool(12, 3)
    full = FullMap()
    mask = Padding(torch.arange(5) < torch.tensor([5, 2])[:, None])
    with observe(pool, full):
        pool(torch.randn(2, 5, 12), mask)
    (a,) = full.result().values()
    assert a.shape == (2, 3, 1, 5)
    torch.testing.assert_close(a.sum(-1), torch.ones(2, 3, 1))
    assert a[1, :, :, 2:].eq(0).all()


def test_training_with_residual_dropout_gives_the_same_loss_and_gradients():
    torch.manual_seed(0)
    backbone = UniformBackbone(dim=20, depth=2, num_heads=2, dropout=0.3, drop_path=0.2).train()
    x = torch.randn(4, 7, 20)
    gradients = []
    for observers in ((), (Received(), ReceivedGradient())):
        torch.manual_seed(5)
        backbone.zero_grad()
        if observers:
            with observe(backbone, *observers):
                backbone(x).tokens.square().mean().backward()
        else:
            backbone(x).tokens.square().mean().backward()
        gradients.append([p.grad.clone() for p in backbone.parameters()])
    for a, b in zip(*gradients, strict=True):
        torch.testing.assert_close(a, b, atol=1e-6, rtol=1e-4)


def test_the_model_is_as_before_even_after_an_exception(backbone):
    with pytest.raises(RuntimeError, match="boom"), observe(backbone, Received()):
        raise RuntimeError("boom")
    assert all(m.watcher is None for m in backbone.modules() if isinstance(m, Attend))


def test_observing_twice_or_nothing_is_said(backbone):
    with (
        observe(backbone, Received()),
        pytest.raises(ValueError, match="already observed"),
        observe(backbone, Observer()),
    ):
        pass
    with pytest.raises(ValueError, match="nothing to observe"), observe(torch.nn.Linear(2, 2), Observer()):
        pass
