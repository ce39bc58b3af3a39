"""Positions, blocks and the backbone."""

from __future__ import annotations

import pytest
import torch

from zoo.attention import (
    Block,
    Learned,
    LearnedGrid,
    Mlp,
    Padding,
    Positions,
    RelativeBias,
    Rotary,
    SelfAttention,
    Sinusoidal,
    UniformBackbone,
)


def backbone(positions=None, **changes):
    torch.manual_seed(0)
    return UniformBackbone(**{"dim": 20, "depth": 2, "num_heads": 2, "positions": positions, **changes}).eval()


@pytest.mark.parametrize("norm", ["pre", "post"])
@pytest.mark.parametrize("positions", [None, Rotary(), Sinusoidal(20), Learned(11, 20)])
@pytest.mark.parametrize("num_prefix", [0, 3])
def test_a_sequence_gives_the_same_tokens_however_it_is_padded(norm, positions, num_prefix):
    model = backbone(positions, norm=norm, num_prefix=num_prefix)
    x = torch.randn(1, 11, 20)
    garbage = torch.cat([x[:, :7], torch.randn(1, 4, 20) * 100], dim=1)
    mask = Padding(torch.arange(11)[None] < 7)
    padded = model(garbage, mask)
    alone = model(x[:, :7])
    torch.testing.assert_close(padded.body[:, :7], alone.body[:, :7], atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(padded.front, alone.front, atol=1e-5, rtol=1e-4)
    assert padded.front.shape == (1, num_prefix, 20)


def test_without_positions_the_backbone_is_permutation_equivariant_and_with_them_it_is_not():
    x, order = torch.randn(2, 7, 20), torch.randperm(7)
    plain = backbone(Positions())
    torch.testing.assert_close(plain(x[:, order]).tokens, plain(x).tokens[:, order], atol=1e-5, rtol=1e-4)
    for positions in (Rotary(), Sinusoidal(20), Learned(7, 20)):
        model = backbone(positions)
        with torch.no_grad():
            for parameter in model.positions.parameters():
                parameter.normal_()
        assert (model(x[:, order]).tokens - model(x).tokens[:, order]).abs().max() > 1e-2


def turned(x, prefix=0, places=None, axes=1):
    return Rotary(axes=axes).rotation(x[:, 0], x.shape[-1], prefix, places).turn(x)


def test_rotary_scores_depend_on_distance_alone_and_equal_complex_rotation():
    q, k = torch.randn(1, 1, 1, 6), torch.randn(1, 1, 1, 6)
    turned_q, turned_k = (turned(t.expand(1, 1, 13, 6))[0, 0] for t in (q, k))
    scores = turned_q @ turned_k.T
    for offset in range(-12, 13):
        diagonal = scores.diagonal(offset)
        torch.testing.assert_close(diagonal, diagonal[:1].expand_as(diagonal), atol=1e-5, rtol=1e-4)
    x = torch.randn(1, 1, 13, 6)
    as_complex = torch.complex(x[..., :3], x[..., 3:])
    angle = torch.arange(13)[:, None] * 10_000.0 ** (-torch.arange(0, 6, 2) / 6)
    expected = as_complex * torch.polar(torch.ones_like(angle), angle)
    torch.testing.assert_close(turned(x), torch.cat([expected.real, expected.imag], -1))


def test_prefix_tokens_stand_nowhere():
    x = torch.randn(1, 1, 5, 6)
    behind = turned(x, prefix=2)
    assert torch.equal(behind[:, :, :3], x[:, :, :3])  # two prefix tokens, and position 0
    torch.testing.assert_close(behind[:, :, 2:], turned(x[:, :, 2:]))


def test_axial_rotation_turns_each_half_by_its_own_axis():
    x = torch.randn(1, 1, 6, 8)
    places = torch.tensor([[0, 0], [0, 1], [0, 2], [5, 0], [5, 1], [5, 2]], dtype=torch.float)[None]
    both = turned(x, places=places, axes=2)
    for axis in (0, 1):
        pairs = [2 * axis, 2 * axis + 1]  # of the four pairs (t, t + 4)
        part = x[..., [*pairs, *(p + 4 for p in pairs)]]
        alone = turned(part, places=places[..., axis : axis + 1])
        torch.testing.assert_close(both[..., [*pairs, *(p + 4 for p in pairs)]], alone)


def test_places_in_order_are_the_default():
    x = torch.randn(1, 1, 7, 6)
    assert torch.equal(turned(x, places=torch.arange(7.0)[None, :, None]), turned(x))


def test_a_grid_grows_by_size_and_keeps_its_own():
    grid = LearnedGrid(3, 5, 2)
    with torch.no_grad():
        grid.table[0, 0] = torch.arange(3.0)[:, None]
        grid.table[0, 1] = torch.arange(5.0)
    assert torch.equal(grid(3, 5)[0, :, 0].view(3, 5), grid.table[0, 0])
    larger = grid(7, 11)[0].T.view(2, 7, 11)
    assert larger[0].diff(dim=1).abs().max() < 1e-5 and larger[0, 6, 0] > larger[0, 0, 0]
    assert larger[1].diff(dim=0).abs().max() < 1e-5 and (larger[1, 0].diff() > -0.1).all()
    torch.testing.assert_close(grid(6, 10)[0, :, 1].view(6, 10).mean(), torch.tensor(2.0))


def test_relative_bias_by_hand_and_in_blocks():
    positions = RelativeBias(2, reach=2)
    with torch.no_grad():
        positions.table.copy_(torch.tensor([[-2.0, -1, 0, 1, 2, 9], [-20, -10, 0, 10, 20, 90]]))
    bias = positions.bias(prefix=1)
    whole = bias.rows(0, 5, 5, *bias.tensors)[0]
    expected = torch.tensor(
        [[9.0, 9, 9, 9, 9], [9, 0, 1, 2, 2], [9, -1, 0, 1, 2], [9, -2, -1, 0, 1], [9, -2, -2, -1, 0]]
    )
    assert torch.equal(whole, torch.stack([expected, expected * 10]))
    assert torch.equal(torch.cat([bias.rows(i, i + 1, 5, *bias.tensors)[0] for i in range(5)], 1), whole)


@pytest.mark.parametrize("positions", [RelativeBias(2, 3), Rotary()])
def test_checkpointing_changes_no_gradient(positions):
    x, gradients = torch.randn(2, 7, 20), []
    torch.manual_seed(1)
    model = UniformBackbone(20, 2, 2, dropout=0.2, positions=positions, num_prefix=1).train()
    for checkpoint in (False, True):
        model.checkpoint = checkpoint
        model.zero_grad()
        torch.manual_seed(2)
        model(x).tokens.square().mean().backward()
        gradients.append([p.grad.clone() for p in model.parameters()])
    for a, b in zip(*gradients, strict=True):
        torch.testing.assert_close(a, b)


def test_sinusoidal_by_hand():
    table = Sinusoidal(4)(torch.zeros(1, 3, 4))[0]
    expected = [[torch.sin(torch.tensor(p / 1.0)), torch.cos(torch.tensor(p / 1.0)),
                 torch.sin(torch.tensor(p / 100.0)), torch.cos(torch.tensor(p / 100.0))] for p in range(3)]  # fmt: skip
    torch.testing.assert_close(table, torch.tensor(expected))


def test_learned_positions_interpolate_by_size():
    learned = Learned(5, 2)
    with torch.no_grad():
        learned.table.copy_(torch.arange(5.0)[None, :, None].expand(1, 5, 2))
    grown = learned(torch.zeros(1, 10, 2))[0, :, 0]
    assert grown.shape == (10,)
    torch.testing.assert_close(grown, torch.tensor([0, 0.25, 0.75, 1.25, 1.75, 2.25, 2.75, 3.25, 3.75, 4.0]))


def test_pre_and_post_norm_by_hand():
    torch.manual_seed(0)
    x = torch.randn(2, 7, 20)
    for norm in ("pre", "post"):
        block = Block(SelfAttention(20, 2), Mlp(20), 20, norm).eval()
        a, m, n1, n2 = block.attention, block.mlp, block.norm1, block.norm2
        if norm == "pre":
            h = x + a(n1(x))
            expected = h + m(n2(h))
        else:
            h = n1(x + a(x))
            expected = n2(h + m(h))
        torch.testing.assert_close(block(x), expected)


def test_mistakes_are_said():
    with pytest.raises(ValueError, match="must divide the width"):
        UniformBackbone(dim=20, depth=1, num_heads=3)
    with pytest.raises(ValueError, match="head width that 2 divides"):
        turned(torch.zeros(1, 1, 2, 5))
    with pytest.raises(ValueError, match="'pre' or 'post'"):
        Block(SelfAttention(20, 2), Mlp(20), 20, "middle")
