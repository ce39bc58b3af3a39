"""Attention between groups of tokens, against the whole map."""

from __future__ import annotations

import torch

from zoo.attention import Between, BetweenGradient, FullMap, Padding, UniformBackbone, observe


def model(prefix: int) -> UniformBackbone:
    torch.manual_seed(0)
    return UniformBackbone(dim=12, depth=2, num_heads=3, num_prefix=prefix).eval()


def test_sums_over_groups_of_the_whole_map(monkeypatch):
    monkeypatch.setattr("zoo.attention.blockwise.block_rows", lambda *sizes: 2)
    torch.manual_seed(1)
    tokens, groups = torch.randn(2, 7, 12), torch.rand(2, 7, 4)
    mask = Padding(torch.arange(7) < torch.tensor([[7], [5]]))
    for prefix in (0, 2):
        backbone = model(prefix)
        with observe(backbone, between := Between(groups, prefix), whole := FullMap()):
            backbone(tokens, mask)
        wide = torch.cat([torch.zeros(2, prefix, 4), groups], 1)
        for layer, a in whole.result().items():
            expected = torch.einsum("bqg,bhqk,bkf->bhgf", wide, a, wide)
            torch.testing.assert_close(between.result()[layer], expected)


def test_attention_times_gradient_between_groups(monkeypatch):
    """dL/dA by autograd, through a formula written out."""
    monkeypatch.setattr("zoo.attention.blockwise.block_rows", lambda *sizes: 3)
    torch.manual_seed(2)
    tokens, groups, weight = torch.randn(1, 6, 12, requires_grad=True), torch.rand(1, 6, 2), torch.randn(1, 6, 12)
    backbone = UniformBackbone(dim=12, depth=1, num_heads=3).eval()
    attention = backbone.blocks[0].attention
    with observe(backbone, between := BetweenGradient(groups)):
        torch.autograd.grad((backbone(tokens).tokens * weight).sum(), tokens)

    kept = {}

    def written_out(q, k, v, *rest, **words):
        a = (q @ k.mT / q.shape[-1] ** 0.5).softmax(-1)
        a.retain_grad()
        kept["a"] = a
        return a @ v

    monkeypatch.setattr(attention.attend, "forward", written_out)
    (backbone(tokens).tokens * weight).sum().backward()
    expected = torch.einsum("bqg,bhqk,bkf->bhgf", groups, kept["a"] * kept["a"].grad, groups)
    (layer,) = between.result().values()
    torch.testing.assert_close(layer, expected, atol=1e-5, rtol=1e-4)


def test_a_pooling_query_has_no_groups():
    from zoo.attention import AttentionPool

    pool = AttentionPool(12, 3)
    with observe(pool, between := Between(torch.rand(2, 7, 4))):
        pool(torch.randn(2, 7, 12), None)
    assert between.result() == {}
