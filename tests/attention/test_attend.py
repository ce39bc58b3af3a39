"""Fused and observed attention against PyTorch's own and against the formula written out."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import zoo.attention.blockwise as blockwise
from zoo.attention import Attend, Padding, Received, SelfAttention, observe

B, H, N, D = 3, 5, 11, 14  # no two axes agree


def inputs(seed: int = 0, n: int = N, dtype=torch.float32):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(B, H, n, D, generator=generator, dtype=dtype).requires_grad_() for _ in range(3)]


def by_hand(q, k, v, allowed=None):
    logits = q @ k.transpose(-2, -1) / D**0.5
    if allowed is not None:
        logits = logits.masked_fill(~allowed, float("-inf"))
    return logits.softmax(-1) @ v


def some_padding(n: int = N) -> Padding:
    lengths = torch.tensor([n, n - 4, 2])
    return Padding(torch.arange(n) < lengths[:, None])


@pytest.mark.parametrize("block_elements", [1, B * H * N * 3, 1 << 22])
@pytest.mark.parametrize("masked", [False, True])
def test_observed_equals_fused_and_the_formula_in_value_and_gradient(monkeypatch, block_elements, masked):
    monkeypatch.setattr(blockwise, "BLOCK_ELEMENTS", block_elements)
    mask = some_padding() if masked else None
    weight = torch.randn(B, H, N, D)
    results = []
    attend = Attend()
    for way in ("fused", "observed", "by hand"):
        q, k, v = inputs()
        if way == "by hand":
            out = by_hand(q, k, v, None if mask is None else mask.present[:, None, None])
        elif way == "fused":
            out = attend(q, k, v, mask)
        else:
            with observe(attend, Received()):
                out = attend(q, k, v, mask)
        results.append((out, *torch.autograd.grad((out * weight).sum(), (q, k, v))))
    fused, observed, hand = results
    for a, b, c in zip(fused, observed, hand, strict=True):
        torch.testing.assert_close(a, b, atol=2e-6, rtol=1e-5)
        torch.testing.assert_close(b, c, atol=2e-6, rtol=1e-5)


def test_observed_gradient_is_exact_in_double_precision():
    attend = Attend()
    generator = torch.Generator().manual_seed(1)
    q, k, v = (torch.randn(1, 2, n, 3, generator=generator, dtype=torch.double).requires_grad_() for n in (5, 7, 7))

    def run(q, k, v):
        with observe(attend, Received()):
            return attend(q, k, v)

    assert torch.autograd.gradcheck(run, (q, k, v))


@pytest.mark.parametrize("way", ["fused", "observed"])
def test_a_row_that_sees_nobody_gives_zeros_and_finite_gradients(way):
    mask = Padding(torch.tensor([[True] * N, [False] * N, [True] * 4 + [False] * (N - 4)]))
    q, k, v = inputs()
    attend = Attend()
    if way == "observed":
        with observe(attend, Received()):
            out = attend(q, k, v, mask)
    else:
        out = attend(q, k, v, mask)
    assert out[1].eq(0).all()
    assert out[0].abs().sum() > 0
    for gradient in torch.autograd.grad(out.square().sum(), (q, k, v)):
        assert gradient.isfinite().all()
        assert gradient[1].eq(0).all()


def test_self_attention_equals_torchs_multihead_attention():
    dim, heads = 30, 5
    ours, theirs = SelfAttention(dim, heads), nn.MultiheadAttention(dim, heads, batch_first=True)
    theirs.in_proj_weight.data, theirs.in_proj_bias.data = ours.qkv.weight.data, ours.qkv.bias.data
    theirs.out_proj.weight.data, theirs.out_proj.bias.data = ours.out.weight.data, ours.out.bias.data
    x = torch.randn(B, N, dim)
    mask = some_padding()
    expected, _ = theirs(x, x, x, key_padding_mask=~mask.present, need_weights=False)
    torch.testing.assert_close(ours(x, mask), expected, atol=1e-6, rtol=1e-5)


def test_fused_is_pytorchs_kernel():
    q, k, v = inputs()
    assert torch.equal(Attend()(q, k, v), F.scaled_dot_product_attention(q, k, v))


@settings(max_examples=25, deadline=None)
@given(n=st.integers(1, 17), seed=st.integers(0, 1000), shift=st.integers(0, 100))
def test_attention_follows_a_permutation_of_its_keys(n, seed, shift):
    q, k, v = inputs(seed, n)
    order = torch.randperm(n, generator=torch.Generator().manual_seed(shift))
    torch.testing.assert_close(Attend()(q, k[:, :, order], v[:, :, order]), Attend()(q, k, v), atol=2e-6, rtol=1e-5)


def test_bfloat16_under_autocast_stays_near():
    attention = SelfAttention(30, 5)
    x = torch.randn(B, N, 30)
    exact = attention(x)
    with torch.autocast("cpu", torch.bfloat16):
        fused = attention(x)
        with observe(attention, Received()):
            observed = attention(x)
    assert (fused - exact).norm() / exact.norm() < 2e-2
    assert (observed - exact).norm() / exact.norm() < 2e-2
