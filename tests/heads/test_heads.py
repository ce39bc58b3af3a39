"""Heads whose behaviour is known: their profile, their role, what happens without them."""

from __future__ import annotations

import pytest
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader

import zoo.attention.blockwise as blockwise
from zoo.attention import (
    Attend,
    AttentionPool,
    Dense,
    Entropy,
    FullMap,
    GateGradient,
    Padding,
    RelativeBias,
    Rotary,
    SelfAttention,
    UniformBackbone,
    observe,
)
from zoo.attention.gates import attentions, gated
from zoo.heads.diversity import DiverseHeads, output_agreement, subspace_overlap
from zoo.heads.importance import ablation, gate_importance
from zoo.heads.profile import Profile
from zoo.heads.prune import pruned
from zoo.heads.roles import ROLES, role
from zoo.heads.sharpness import SharpHeads, relative_entropy_of_rows

N = 24


def known_heads() -> dict[str, torch.Tensor]:
    """Logits of one head each, [N, N]."""
    query, key = torch.arange(N)[:, None], torch.arange(N)
    away = (query - key).abs().float()
    return {
        "no-op": torch.where(key == 0, 9.0, 0.0).expand(N, N),
        "positional": torch.where(key == query - 1, 9.0, 0.0),
        "broad": torch.zeros(N, N),
        "local": -((away - 2).square()),
        "long-range": -(away - 15).abs() / 2,
    }


@pytest.mark.parametrize("block", [N, 1 << 20])
def test_known_heads_get_their_roles(block, monkeypatch):
    from zoo.attention import DenseBias

    monkeypatch.setattr(blockwise, "BLOCK_ELEMENTS", block)
    attend, profile, full = Attend(), Profile(), FullMap()
    bias = DenseBias(torch.stack(list(known_heads().values()))[None])
    q, v = torch.zeros(2, 5, N, 4), torch.randn(2, 5, N, 4)
    for n in (N, 15):  # two passes of different lengths
        with observe(attend, profile, *([full] if n == N else [])):
            mask = Padding(torch.arange(N)[None].expand(2, N) < n)
            attend(q, q, v, mask, bias)
    table = profile.table()
    assert list(table.role) == list(known_heads())
    assert table.entropy[2] == pytest.approx(1) and table.distance[2] == pytest.approx(1)
    assert table["first"][0] > 0.9 and table.previous[1] > 0.9
    assert set(table.role) <= set(ROLES) and role(dict.fromkeys(("first", "self", "previous", "next"), 0) | {
        "entropy": 0.5, "distance": 0.8}) == "mixed"  # fmt: skip


def test_agreement_is_the_mean_cosine_with_the_other_heads():
    attend, profile = Attend(), Profile()
    q = torch.randn(2, 3, 7, 4)
    mask = Padding(torch.arange(7) < torch.tensor([7, 3])[:, None])
    with observe(attend, profile):
        out = attend(q, q, q, mask)
    there = out.transpose(0, 1)[:, mask.present]  # [H, tokens, e]
    expected = [
        torch.stack([torch.cosine_similarity(there[h], there[g], dim=-1).mean() for g in range(3) if g != h]).mean()
        for h in range(3)
    ]
    torch.testing.assert_close(torch.tensor(profile.table().agreement.tolist()), torch.stack(expected))


def test_a_pooling_query_has_no_place():
    pool, profile = AttentionPool(12, 3), Profile()
    with observe(pool, profile):
        pool(torch.randn(2, 5, 12))
    assert set(profile.table().role) == {"pooling"} and "distance" not in profile.table()


@pytest.mark.parametrize("gone", [[1], [0, 2], [0, 1, 2]])
def test_pruned_equals_switched_off(gone):
    torch.manual_seed(0)
    model = UniformBackbone(30, 2, 3, positions=Rotary(), num_prefix=1).eval()
    layer = "blocks.1.attention"
    x, mask = torch.randn(2, 7, 30), Padding(torch.arange(7) < torch.tensor([7, 4])[:, None])
    gate = torch.ones(3)
    gate[gone] = 0
    smaller = pruned(model, {layer: gone})
    with torch.no_grad():
        whole = model(x, mask).tokens
        with gated(model, {layer: gate}):
            expected = model(x, mask).tokens
        torch.testing.assert_close(smaller(x, mask).tokens, expected, atol=1e-6, rtol=1e-5)
        assert (whole - expected).abs().max() > 1e-3
        assert torch.equal(model(x, mask).tokens, whole), "the gate stayed"
    saved = sum(p.numel() for p in model.parameters()) - sum(p.numel() for p in smaller.parameters())
    width = 10 * len(gone)
    assert saved == 4 * 30 * width + 3 * width


def test_what_cannot_be_pruned_is_said():
    model = UniformBackbone(30, 1, 3)
    with pytest.raises(ValueError, match="heads 0 to 2, not"):
        pruned(model, {"blocks.0.attention": [3]})
    with pytest.raises(ValueError, match="no self-attention"):
        pruned(model, {"blocks.0.mlp": [0]})
    with pytest.raises(ValueError, match="relative bias"):
        pruned(UniformBackbone(30, 1, 3, positions=RelativeBias(3, 4)), {"blocks.0.attention": [0]})
    with pytest.raises(ValueError, match="no attention is named"), gated(model, {"blocks.7.attention": torch.ones(3)}):
        pass


def test_ablation_by_hand():
    torch.manual_seed(0)
    model = UniformBackbone(20, 1, 2).eval()
    batches = [torch.randn(b, 5, 20) for b in (2, 3)]
    table = ablation(model, [("blocks.0.attention", 1)], batches, lambda x: (model(x).tokens.square().mean(), len(x)))
    rises = []
    with torch.no_grad():
        whole = [model(x).tokens.square().mean() for x in batches]
        model.blocks[0].attention.out.weight[:, 10:] = 0
        rises = [model(x).tokens.square().mean() - w for x, w in zip(batches, whole, strict=True)]
    assert table.ablation[0] == pytest.approx(float((2 * rises[0] + 3 * rises[1]) / 5), abs=1e-6)


def test_overlap_of_known_subspaces():
    attention = SelfAttention(12, 3).requires_grad_(False)
    with torch.no_grad():
        values = attention.qkv.weight[24:]
        values.copy_(torch.eye(12))
        assert float(subspace_overlap(attention)) == pytest.approx(0, abs=1e-6)
        values[4:8] = 2 * values[:4].flip(0)
        assert float(subspace_overlap(attention)) == pytest.approx(1 / 3, abs=1e-6)
        values[8:] = values[:4] @ torch.eye(12) * -1
        assert float(subspace_overlap(attention)) == pytest.approx(1, abs=1e-6)
    wide = SelfAttention(512, 8).requires_grad_(False)
    assert float(subspace_overlap(wide)) == pytest.approx(64 / 512, abs=0.01)  # chance


def test_agreement_of_known_outputs():
    out = torch.randn(2, 1, 7, 4).expand(2, 3, 7, 4)
    assert float(output_agreement(out)) == pytest.approx(1, abs=1e-5)
    apart = torch.eye(3)[:, None].expand(2, 3, 7, 3)
    assert float(output_agreement(apart)) == pytest.approx(0, abs=1e-6)


class _Autoencoder(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.backbone = UniformBackbone(24, 2, 3)

    def training_step(self, batch, batch_idx):
        return (self.backbone(batch).tokens - batch).square().mean()

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=3e-3)


def agreement_of(backbone: UniformBackbone, x: torch.Tensor) -> float:
    kept = []
    hook = backbone.blocks[1].attention.attend.register_forward_hook(lambda m, i, out: kept.append(out))
    with torch.no_grad():
        backbone(x)
    hook.remove()
    return float(output_agreement(kept[0]))


@pytest.mark.parametrize("loss", ["subspaces", "outputs"])
def test_the_callback_makes_heads_differ_and_leaves_nothing_behind(loss):
    data, results = torch.randn(64, 9, 24, generator=torch.Generator().manual_seed(0)), []
    for weight in (0.0, 3.0):
        torch.manual_seed(0)
        module = _Autoencoder()
        trainer = pl.Trainer(
            max_epochs=8, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
            enable_model_summary=False, callbacks=[DiverseHeads(weight, loss)],
        )  # fmt: skip
        trainer.fit(module, DataLoader(data, batch_size=16))
        assert all(not attend._forward_hooks for attend in attentions(module).values())
        if loss == "subspaces":
            results.append(sum(float(subspace_overlap(b.attention)) for b in module.backbone.blocks))
        else:
            results.append(agreement_of(module.backbone, data))
    assert results[1] < 0.6 * results[0], results


def test_entropy_of_rows_by_hand():
    a = torch.tensor([[[[1.0, 0, 0, 0], [0.25] * 4, [0.5, 0.5, 0, 0]]]])
    mean = relative_entropy_of_rows(a, torch.ones(1, 3), torch.tensor([4.0]))
    torch.testing.assert_close(mean, torch.tensor((0 + 1 + 0.5) / 3))
    torch.testing.assert_close(
        relative_entropy_of_rows(a, torch.tensor([[1.0, 0, 1]]), torch.tensor([4.0])), torch.tensor(0.25)
    )


def test_padding_has_no_entropy_to_lose():
    """What stands behind the sequence, as query or as key, changes nothing."""
    torch.manual_seed(0)
    q, k, v = torch.randn(3, 2, 3, 9, 4).unbind()
    alone = SharpHeads(1.0).watch(Attend(), (q[:, :, :6], k[:, :, :6], v), v)
    junk = [torch.cat([x[:, :, :6], 9 * torch.randn(2, 3, 3, 4)], 2) for x in (q, k)]
    padded = SharpHeads(1.0).watch(Attend(), (*junk, v, Padding((torch.arange(9) < 6).expand(2, -1))), v)
    torch.testing.assert_close(padded, alone)


@pytest.mark.parametrize("masked", [False, True])
def test_heads_asked_to_be_sharp_are(masked):
    data, results = torch.randn(64, 40, 24, generator=torch.Generator().manual_seed(0)), []
    present = torch.arange(40) < 33
    for weight in (0.0, 10.0):
        torch.manual_seed(0)
        module = _Autoencoder()
        if masked:
            forward = module.backbone.forward
            module.backbone.forward = lambda x, f=forward: f(x, Padding(present.expand(len(x), -1)))
        trainer = pl.Trainer(
            max_epochs=6, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
            enable_model_summary=False, callbacks=[SharpHeads(weight)],
        )  # fmt: skip
        trainer.fit(module, DataLoader(data, batch_size=16))
        with torch.no_grad(), observe(module.backbone, entropy := Entropy()):
            module.backbone(data)
        results.append(float(torch.stack(list(entropy.result().values())).mean()))
        assert float(trainer.callback_metrics["train/entropy"]) > 0
    assert results[1] < 0.8 * results[0], results


def test_an_unknown_loss_is_said():
    with pytest.raises(ValueError, match="'subspaces' or 'outputs'"):
        DiverseHeads(1.0, "weights")


def test_a_head_mask_gives_each_head_its_relation():
    """Gating and profile work beside a mask for each head."""
    attend, profile = Attend(), Profile()
    allowed = torch.stack([torch.eye(6), torch.ones(6, 6)]).bool()
    q = torch.randn(1, 2, 6, 3)
    with observe(attend, profile):
        attend(q, q, q, Dense(allowed))
    table = profile.table()
    assert table.entropy.isna()[0] and not table.entropy.isna()[1]  # who sees one token alone has no choice


def test_a_sharp_head_keeps_its_queries():
    """Attention that underflows to 0 is still attention."""
    attend, profile = Attend(), Profile()
    q = 60 * torch.eye(16).expand(1, 1, 16, 16)
    with observe(attend, profile):
        attend(q, q, torch.randn(1, 1, 16, 4))
    row = profile.table().iloc[0]
    assert row["self"] == pytest.approx(1) and row.entropy < 0.01 and row.role == "positional"


def test_both_readings_of_an_example_count_as_one():
    gate = GateGradient()
    gate._new_pass("a", torch.tensor([[1.0], [2.0], [3.0], [-4.0]]))  # two examples, read twice
    assert gate_importance([gate], [2]) == {("a", 0): pytest.approx((abs(1 + 3) + abs(2 - 4)) / 2 * 2)}


def test_a_model_without_any_head_in_a_layer_still_runs():
    model = pruned(UniformBackbone(30, 2, 3, positions=Rotary()), {"blocks.0.attention": [0, 1, 2]})
    assert model(torch.randn(2, 5, 30)).tokens.shape == (2, 5, 30)


@pytest.mark.slow
def test_gates_reach_a_compiled_model():
    model = UniformBackbone(20, 1, 2).eval()
    compiled, x = torch.compile(model), torch.randn(1, 5, 20)
    with torch.no_grad():
        whole = compiled(x).tokens
        with gated(compiled, {"blocks.0.attention": torch.zeros(2)}):
            torch.testing.assert_close(compiled(x).tokens, model(x).tokens)
            assert (compiled(x).tokens - whole).abs().max() > 1e-3
        torch.testing.assert_close(compiled(x).tokens, whole)


def test_accumulated_batches_share_one_penalty():
    data, sizes = torch.randn(16, 9, 24, generator=torch.Generator().manual_seed(0)), []
    for parts in (1, 4):
        torch.manual_seed(0)
        module = _Autoencoder()
        before = module.backbone.blocks[0].attention.qkv.weight.detach().clone()
        module.training_step = lambda batch, i, module=module: module.backbone(batch).tokens.sum() * 0
        module.configure_optimizers = lambda module=module: torch.optim.SGD(module.parameters(), lr=1.0)
        trainer = pl.Trainer(
            max_epochs=1, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
            enable_model_summary=False, callbacks=[DiverseHeads(1.0)], accumulate_grad_batches=parts,
        )  # fmt: skip
        trainer.fit(module, DataLoader(data, batch_size=16 // parts))
        sizes.append(float((module.backbone.blocks[0].attention.qkv.weight - before).norm()))
    assert sizes[0] == pytest.approx(sizes[1], rel=1e-4) and sizes[0] > 0
