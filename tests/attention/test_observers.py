"""Each observer against the reduction of the whole map that it stands for, under every pattern and block size."""

from __future__ import annotations

import pytest
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader

import zoo.attention.blockwise as blockwise
from tests.attention.patterns import CASES, B, H, N, inputs
from zoo.attention import (
    Attend,
    Distance,
    Entropy,
    FullMap,
    GateGradient,
    Landmarks,
    OutputNorm,
    Padding,
    Received,
    ReceivedGradient,
    Rollout,
    Rotary,
    TopPairs,
    UniformBackbone,
    observe,
)


@pytest.fixture(params=[1, 1 << 22])
def any_block_size(request, monkeypatch):
    monkeypatch.setattr(blockwise, "BLOCK_ELEMENTS", request.param)


@pytest.mark.parametrize("name", CASES)
def test_reductions_of_the_whole_map(name, monkeypatch):
    monkeypatch.setattr(blockwise, "BLOCK_ELEMENTS", B * H * N * 7)
    case, (q, k, v) = CASES[name], inputs()
    bias = None if case.parameter is None else case.bias(case.parameter)
    attend = Attend()
    full, received, entropy, distance, landmarks, top = watchers = (
        FullMap(), Received(), Entropy(), Distance(), Landmarks(), TopPairs(9)
    )  # fmt: skip
    with observe(attend, *watchers):
        attend(q, k, v, case.mask, bias)
    a = full.result()[""]
    place = torch.arange(N)
    torch.testing.assert_close(received.result()[""], a.sum(-2))
    torch.testing.assert_close(entropy.result()[""], torch.special.entr(a).sum(-1), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(distance.result()[""], (a * (place[:, None] - place).abs()).sum(-1))
    own, before, after, first = landmarks.result()[""].unbind(-1)
    torch.testing.assert_close(own, a.diagonal(dim1=-2, dim2=-1))
    torch.testing.assert_close(before[..., 1:], a.diagonal(-1, -2, -1))
    torch.testing.assert_close(after[..., :-1], a.diagonal(1, -2, -1))
    torch.testing.assert_close(first, a[..., 0])
    assert before[..., 0].eq(0).all() and after[..., -1].eq(0).all()
    torch.testing.assert_close(top.result()[""], a.flatten(2).topk(9).values)
    query, key = top.pairs()[""].unbind(-1)
    at = a.flatten(2).gather(2, query * N + key)
    torch.testing.assert_close(at, top.result()[""])


def test_distance_between_patches_and_without_the_class_token():
    places = torch.tensor([[0.0, 0], [0, 0], [0, 3], [4, 0]])  # the first is the class token
    attend, distance = Attend(), Distance(places, prefix=1)
    q = torch.zeros(1, 1, 4, 2)
    with observe(attend, distance):
        attend(q, q, q)
    torch.testing.assert_close(distance.result()[""][0, 0], torch.tensor([0, 7.0, 8, 9]) / 4)


def test_output_norms_and_gates_leave_the_fused_kernel_on(monkeypatch):
    monkeypatch.setattr(blockwise, "attend_blockwise", None)
    torch.manual_seed(0)
    model = UniformBackbone(20, 2, 2, positions=Rotary())
    mask = Padding(torch.arange(7) < torch.tensor([7, 3])[:, None])
    norm, gate = OutputNorm(), GateGradient()
    with observe(model, norm, gate) as layers:
        model(torch.randn(2, 7, 20), mask).tokens[:, 0].square().sum().backward()
    assert norm.result()[layers[0]].shape == (2, 2, 7) and norm.result()[layers[0]][1, :, 3:].eq(0).all()
    assert gate.result()[layers[1]].shape == (2, 2)


def test_gate_gradient_is_the_derivative_by_a_gate():
    model = UniformBackbone(20, 2, 2).double()
    x, weight = torch.randn(1, 7, 20, dtype=torch.double), torch.randn(7, 20, dtype=torch.double)
    gate = GateGradient()
    with observe(model, gate) as layers:
        (model(x).tokens[0] * weight).sum().backward()
    for layer in layers:
        out = model.get_submodule(layer).out
        for head in (0, 1):
            columns, values = slice(10 * head, 10 * head + 10), []
            for g in (1 + 1e-5, 1 - 1e-5):
                kept = out.weight.data.clone()
                out.weight.data[:, columns] *= g
                with torch.no_grad():
                    values.append((model(x).tokens[0] * weight).sum())
                out.weight.data.copy_(kept)
            expected = (values[0] - values[1]) / 2e-5
            torch.testing.assert_close(gate.result()[layer][0, head], expected, atol=1e-6, rtol=1e-5)


def test_rollout_is_the_product_of_the_layers(any_block_size):
    torch.manual_seed(0)
    model = UniformBackbone(20, 3, 2, positions=Rotary(), num_prefix=1).eval()
    mask = Padding(torch.arange(7) < torch.tensor([7, 4])[:, None])
    rollout, full = Rollout(), FullMap()
    with observe(model, rollout, full):
        model(torch.randn(2, 7, 20), mask)
    product = torch.eye(8).expand(2, 8, 8)
    for a in full.result().values():
        product = (a.mean(1) + torch.eye(8)) / 2 @ product
    torch.testing.assert_close(rollout.of(0), product[:, 0], atol=1e-6, rtol=1e-5)
    shares = torch.tensor([[0.5, 0, 0, 0.5, 0, 0, 0, 0]]).expand(2, 8)  # what is read is the mean of two tokens
    both = (product[:, 0] + product[:, 3]) / 2
    torch.testing.assert_close(rollout.of(shares), both, atol=1e-6, rtol=1e-5)
    mixed = rollout.of(torch.tensor([3, 2]))
    torch.testing.assert_close(mixed, torch.stack([product[0, 3], product[1, 2]]), atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(mixed.sum(-1), torch.ones(2))
    with pytest.raises(ValueError, match="nothing to roll out"):
        Rollout().of(0)


def test_passes_of_several_lengths_are_joined():
    model = UniformBackbone(20, 1, 2)
    entropy = Entropy()
    with observe(model, entropy):
        for b, n in ((2, 5), (3, 7)):
            model(torch.randn(b, n, 20))
    result = entropy.result()["blocks.0.attention"]
    assert result.shape == (5, 2, 7) and result[:2, :, 5:].eq(0).all() and (result[2:] > 0).all()


def test_a_map_too_large_is_refused_with_its_cost():
    attend = Attend()
    q = torch.zeros(1, 2, 64, 4)
    with pytest.raises(ValueError, match=r"takes .* GiB"), observe(attend, FullMap(limit=1000)):
        attend(q, q, q)
    assert FullMap.cost(2, 8, 512, 512) == 16 * 2**20


def test_gradients_without_gradients_are_refused():
    with (
        torch.no_grad(),
        pytest.raises(ValueError, match="ReceivedGradient sees gradients, and there are none under no_grad"),
        observe(Attend(), ReceivedGradient()),
    ):
        pass


class _Regressor(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.backbone = UniformBackbone(20, 2, 2, dropout=0.1)

    def training_step(self, batch, batch_idx):
        return self.backbone(batch).tokens.square().mean()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


def test_inside_a_trainer_observed_training_is_the_same_training():
    weights, received, gate = [], Received(), GateGradient()
    data = torch.randn(12, 7, 20, generator=torch.Generator().manual_seed(0))
    for watched in (False, True):
        torch.manual_seed(0)
        module = _Regressor()
        trainer = pl.Trainer(
            max_epochs=2, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
            enable_model_summary=False,
        )  # fmt: skip
        loader = DataLoader(data, batch_size=4)
        if watched:
            with observe(module, received, gate):
                trainer.fit(module, loader)
        else:
            trainer.fit(module, loader)
        weights.append(torch.cat([p.detach().flatten() for p in module.parameters()]))
    torch.testing.assert_close(*weights, atol=1e-6, rtol=1e-5)
    assert received.result()["backbone.blocks.0.attention"].shape == (24, 2, 7)
    assert gate.result()["backbone.blocks.1.attention"].shape == (24, 2)


@pytest.mark.slow
def test_a_compiled_model_is_observed_uncompiled_and_compiled_again():
    torch.manual_seed(0)
    model = UniformBackbone(20, 2, 2).eval()
    compiled = torch.compile(model)
    x = torch.randn(2, 7, 20)
    with torch.no_grad():
        expected, received = model(x).tokens, Received()
        torch.testing.assert_close(compiled(x).tokens, expected)
        with observe(compiled, received) as layers:
            torch.testing.assert_close(compiled(x).tokens, expected)
        assert layers == ["blocks.0.attention", "blocks.1.attention"]
        torch.testing.assert_close(compiled(x).tokens, expected)
    torch.testing.assert_close(received.result()[layers[0]].sum(-1), torch.full((2, 2), 7.0))
