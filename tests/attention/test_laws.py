"""What must hold of any attention, whatever its weights."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.attention import Attend, Edges, SelfExcluding, SlidingWindow, UniformBackbone


def output_variance(heads: int, width: int, keys: int = 256, batch: int = 24) -> float:
    """Of O = softmax(q k^T / sqrt(d)) v with q, k, v independent and of unit variance."""
    generator = torch.Generator().manual_seed(0)
    q, k, v = (torch.randn(batch, heads, keys, width, generator=generator) for _ in range(3))
    return float(Attend()(q, k, v).var())


def test_variance_does_not_tell_8_heads_of_64_from_16_of_32():
    assert output_variance(16, 32) / output_variance(8, 64) == pytest.approx(1, abs=0.02)


def test_small_heads_deviate():
    """q . k / sqrt(d) is the less Gaussian the smaller d is: heavier tails, sharper attention, more variance."""
    assert 1.04 < output_variance(64, 8) / output_variance(8, 64) < 1.12


@settings(max_examples=15, deadline=None)
@given(n=st.integers(2, 24), seed=st.integers(0, 99), share=st.floats(0.1, 1))
def test_without_positions_the_backbone_follows_a_permutation_of_tokens_and_edges(n, seed, share):
    generator = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    model = UniformBackbone(20, 2, 2).eval()
    x, order = torch.randn(1, n, 20, generator=generator), torch.randperm(n, generator=generator)
    allowed = torch.rand(n, n, generator=generator) < share
    moved = allowed[order][:, order]
    with torch.no_grad():
        for before, after in ((None, None), (SelfExcluding(), SelfExcluding()),
                              (Edges.of_mask(allowed), Edges.of_mask(moved))):  # fmt: skip
            expected = model(x, before).tokens[:, order]
            torch.testing.assert_close(model(x[:, order], after).tokens, expected, atol=1e-5, rtol=1e-4)


@settings(max_examples=15, deadline=None)
@given(n=st.integers(2, 30), depth=st.integers(1, 3), reach=st.integers(0, 4), seed=st.integers(0, 99))
def test_a_token_hears_of_no_other_beyond_depth_times_reach(n, depth, reach, seed):
    torch.manual_seed(seed)
    model = UniformBackbone(8, depth, 2).double().eval()
    x = torch.randn(1, n, 8, dtype=torch.double, requires_grad=True)
    weight = torch.randn(8, dtype=torch.double)  # the plain sum of a normalised vector is always 0
    (gradient,) = torch.autograd.grad((model(x, SlidingWindow(reach)).tokens[0, 0] * weight).sum(), x)
    heard = gradient[0].abs().sum(-1) > 0
    assert not heard[depth * reach + 1 :].any() and heard[: min(n, depth * reach + 1)].all()
