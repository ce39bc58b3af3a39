"""Attention between two sources, and along the rows and columns of a map, against masked dense attention."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from zoo.attention import AxialAttention, CrossAttention, Dense, Padding, Received, SelfAttention, observe


@pytest.mark.parametrize("masked", [False, True])
def test_cross_attention_equals_torchs_with_widths_of_their_own(masked):
    ours = CrossAttention(30, 5, key_dim=7, value_dim=11)
    theirs = nn.MultiheadAttention(30, 5, kdim=7, vdim=11, batch_first=True)
    with torch.no_grad():
        for name, mine in (("q", ours.q), ("k", ours.k), ("v", ours.v)):
            getattr(theirs, f"{name}_proj_weight").copy_(mine.weight)
        theirs.in_proj_bias.copy_(torch.cat([ours.q.bias, ours.k.bias, ours.v.bias]))
        theirs.out_proj.weight.copy_(ours.out.weight)
        theirs.out_proj.bias.copy_(ours.out.bias)
    queries, keys, values = torch.randn(2, 4, 30), torch.randn(2, 9, 7), torch.randn(2, 9, 11)
    present = torch.arange(9) < torch.tensor([9, 5])[:, None]
    expected, _ = theirs(queries, keys, values, key_padding_mask=~present if masked else None, need_weights=False)
    mask = Padding(present) if masked else None
    torch.testing.assert_close(ours(queries, keys, values, mask), expected, atol=1e-6, rtol=1e-5)
    with observe(ours, Received()):
        torch.testing.assert_close(ours(queries, keys, values, mask), expected, atol=1e-6, rtol=1e-5)


def test_cross_attention_carries_the_keys_where_no_values_are_given():
    ours = CrossAttention(12, 3, key_dim=5)
    queries, keys = torch.randn(2, 4, 12), torch.randn(2, 6, 5)
    assert torch.equal(ours(queries, keys), ours(queries, keys, keys))


def dense_axis(attention: SelfAttention, pairs: torch.Tensor, same: torch.Tensor, present: torch.Tensor):
    """All R x C tokens at once, each seeing those for which `same` holds and that exist."""
    flat, there = pairs.flatten(1, 2), present.flatten(1)
    return attention(flat, Dense(same[None, None] & there[:, None, None])).view_as(pairs)


@pytest.mark.parametrize("masked", [False, True])
def test_axial_attention_is_dense_attention_masked_to_rows_then_to_columns(masked):
    torch.manual_seed(0)
    rows, columns = 4, 6
    axial, pairs = AxialAttention(12, 3), torch.randn(2, rows, columns, 12, requires_grad=True)
    present = torch.ones(2, rows, columns, dtype=torch.bool)
    if masked:
        present[0, :, 4:] = False
        present[1, 3] = False
    row, column = (x.flatten() for x in torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij"))
    expected = pairs + dense_axis(axial.rows, pairs, row[:, None] == row, present)
    expected = expected + dense_axis(axial.columns, expected, column[:, None] == column, present)
    out = axial(pairs, present if masked else None)
    torch.testing.assert_close(out[present], expected[present], atol=1e-6, rtol=1e-5)
    weight = torch.randn_like(out) * present[..., None]
    ours, theirs = (torch.autograd.grad((x * weight).sum(), pairs, retain_graph=True)[0] for x in (out, expected))
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-4)
    assert F.mse_loss(out, pairs) > 1e-3
