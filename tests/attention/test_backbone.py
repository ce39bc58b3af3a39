"""Positions, blocks and the backbone."""

from __future__ import annotations

import pytest
import torch

from zoo.attention import Block, Learned, Mlp, Padding, Positions, Rotary, SelfAttention, Sinusoidal, UniformBackbone


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


def test_rotary_scores_depend_on_distance_alone_and_equal_complex_rotation():
    rotary = Rotary()
    q, k = torch.randn(1, 1, 1, 6), torch.randn(1, 1, 1, 6)
    turned_q, turned_k = (rotary.rotate(t.expand(1, 1, 13, 6))[0, 0] for t in (q, k))
    scores = turned_q @ turned_k.T
    for offset in range(-12, 13):
        diagonal = scores.diagonal(offset)
        torch.testing.assert_close(diagonal, diagonal[:1].expand_as(diagonal), atol=1e-5, rtol=1e-4)
    x = torch.randn(1, 1, 13, 6)
    as_complex = torch.complex(x[..., :3], x[..., 3:])
    angle = torch.arange(13)[:, None] * 10_000.0 ** (-torch.arange(0, 6, 2) / 6)
    expected = as_complex * torch.polar(torch.ones_like(angle), angle)
    torch.testing.assert_close(rotary.rotate(x), torch.cat([expected.real, expected.imag], -1))


def test_prefix_tokens_stand_nowhere():
    rotary = Rotary()
    x = torch.randn(1, 1, 5, 6)
    turned = rotary.rotate(x, prefix=2)
    assert torch.equal(turned[:, :, :3], x[:, :, :3])  # two prefix tokens, and position 0
    torch.testing.assert_close(turned[:, :, 2:], rotary.rotate(x[:, :, 2:]))


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
    with pytest.raises(ValueError, match="even head width"):
        Rotary().rotate(torch.zeros(1, 1, 2, 5))
    with pytest.raises(ValueError, match="'pre' or 'post'"):
        Block(SelfAttention(20, 2), Mlp(20), 20, "middle")
