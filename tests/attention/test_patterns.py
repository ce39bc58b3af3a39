"""Every pattern, fused and observed, is the dense masked reference in value and gradient, and keeps no n x n."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import zoo.attention.attend as attend_module
import zoo.attention.blockwise as blockwise
from tests.attention.patterns import CASES, B, H, N, by_hand, inputs
from zoo.attention import (
    Attend,
    Causal,
    Chunked,
    Edges,
    FullMap,
    OffsetBias,
    Packed,
    Padding,
    Received,
    ReceivedGradient,
    SelfExcluding,
    SlidingWindow,
    observe,
)


def outcome(case, way: str, width: int):
    q, k, v = inputs(width=width)
    parameter = None if case.parameter is None else case.parameter.clone().requires_grad_()
    attend, bias = Attend(), None if parameter is None else case.bias(parameter)
    if way == "by hand":
        out = by_hand(q, k, v, case, parameter)
    elif way == "fused":
        out = attend(q, k, v, case.mask, bias)
    else:
        with observe(attend, Received()):
            out = attend(q, k, v, case.mask, bias)
    weight = torch.randn(*out.shape, generator=torch.Generator().manual_seed(4))
    wanted = [q, k, v] + ([] if parameter is None else [parameter])
    return out, *torch.autograd.grad((out * weight).sum(), wanted)


@pytest.mark.parametrize("width", [14, 6])  # of the values: that of the keys, or another
@pytest.mark.parametrize("way", ["fused", "observed"])
@pytest.mark.parametrize("name", CASES)
def test_equals_the_dense_reference_in_value_and_gradient(name, way, width):
    case = CASES[name]
    for ours, reference in zip(outcome(case, way, width), outcome(case, "by hand", width), strict=True):
        torch.testing.assert_close(ours, reference, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("name", CASES)
def test_too_large_to_write_out_is_made_in_blocks(name, monkeypatch):
    monkeypatch.setattr(attend_module, "DENSE_ELEMENTS", 0)
    monkeypatch.setattr(blockwise, "BLOCK_ELEMENTS", B * H * N * 7)
    case = CASES[name]
    for ours, reference in zip(outcome(case, "fused", 14), outcome(case, "by hand", 14), strict=True):
        torch.testing.assert_close(ours, reference, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("name", CASES)
def test_what_is_seen_is_the_reference_map_and_the_gradient_of_it(name):
    case, (q, k, v) = CASES[name], inputs()
    bias = None if case.parameter is None else case.bias(case.parameter)
    attend, full, received = Attend(), FullMap(), ReceivedGradient()
    with observe(attend, full, received):
        (d_v,) = torch.autograd.grad(attend(q, k, v, case.mask, bias).square().sum(), v)
    eye = torch.eye(N).expand(B, H, N, N)
    expected = by_hand(q, k, eye, case, case.parameter)
    present = None if case.mask is None else case.mask.present
    if present is not None:
        expected = expected * present[:, None, :, None]
        d_v = d_v if present.all() else None
    torch.testing.assert_close(full.result()[""], expected, atol=1e-5, rtol=1e-4)
    if d_v is not None:
        torch.testing.assert_close(received.result()[""], (v * d_v).sum(-1), atol=1e-4, rtol=1e-4)


LONG = 1024
SMALL_FORMS = {
    "full": None,
    "padding": Padding(torch.arange(LONG)[None] < 1000),
    "causal": Causal(),
    "chunked": Chunked(100),
    "window": SlidingWindow(20),
    "packed": Packed.of_lengths([[300, 500, 200]], LONG),
    "edges": Edges(torch.arange(LONG), torch.arange(LONG).flip(0), LONG),
    "self-excluding, too long to write out": SelfExcluding(),
    "relative bias": OffsetBias(torch.zeros(2, 20, requires_grad=True)),
}


@pytest.mark.parametrize("width", [4, 8])
@pytest.mark.parametrize("name", SMALL_FORMS)
@pytest.mark.parametrize("observed", [False, True])
def test_nothing_of_size_n_x_n_is_kept_for_the_backward_pass(name, width, observed, monkeypatch):
    """SDPA keeps n x n where a bias needs gradients, where widths differ, and (as floats) where a mask is n x n."""
    monkeypatch.setattr(attend_module, "DENSE_ELEMENTS", LONG * LONG - 1)
    pattern = SMALL_FORMS[name]
    mask, bias = (None, pattern) if isinstance(pattern, OffsetBias) else (pattern, None)
    q, k = (torch.randn(1, 2, LONG, 4, requires_grad=True) for _ in range(2))
    v = torch.randn(1, 2, LONG, width, requires_grad=True)
    attend, saved = Attend(), []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: saved.append(t) or t, lambda t: t):
        if observed:
            with observe(attend, Received()):
                attend(q, k, v, mask, bias)
        else:
            attend(q, k, v, mask, bias)
    assert saved and max(t.untyped_storage().nbytes() for t in saved if t.layout == torch.strided) < LONG * LONG / 2


def test_edges_of_every_pair_take_the_fused_kernel_and_give_the_same():
    q, k, v = inputs()
    everyone = Edges.of_mask(torch.ones(N, N, dtype=torch.bool))
    torch.testing.assert_close(Attend()(q, k, v, everyone), Attend()(q, k, v), atol=1e-6, rtol=1e-5)


@settings(max_examples=20, deadline=None)
@given(n=st.integers(1, 40), share=st.floats(0, 1), seed=st.integers(0, 99))
def test_any_graph_equals_its_mask(n, share, seed):
    generator = torch.Generator().manual_seed(seed)
    allowed = torch.rand(n, n, generator=generator) < share
    q, k, v = (torch.randn(2, 3, n, 5, generator=generator) for _ in range(3))
    out = torch.nan_to_num((q @ k.mT / 5**0.5).masked_fill(~allowed, float("-inf")).softmax(-1)) @ v
    torch.testing.assert_close(Attend()(q, k, v, Edges.of_mask(allowed)), out, atol=1e-5, rtol=1e-4)


def test_edges_gradient_in_double_precision():
    edges = Edges.of_mask(torch.rand(5, 5, generator=torch.Generator().manual_seed(0)) < 0.4)
    q, k, v = (torch.randn(2, 2, 5, 3, dtype=torch.double, requires_grad=True) for _ in range(3))
    assert torch.autograd.gradcheck(lambda *x: Attend()(*x, edges), (q, k, v))


@pytest.mark.parametrize("query, key, said", [
    ([0, 1], [1], "equally many"),
    ([0, 3], [1, 1], "tokens 0 to 2"),
    ([0, 0], [1, 1], "given twice"),
])  # fmt: skip
def test_edges_that_make_no_sense(query, key, said):
    with pytest.raises(ValueError, match=said):
        Edges(torch.tensor(query), torch.tensor(key), 3)
