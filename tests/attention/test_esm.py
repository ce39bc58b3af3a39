"""Checkpoints of ESM's shape in the shared backbone, beside transformers' own model of the same weights."""

from __future__ import annotations

import json
import re

import pytest
import torch
from esm_checkpoints import FAMILIES, HEADS, MASK, PAD, D, batch, reference, saved
from safetensors.torch import load_file, save_file

from zoo.attention import FullMap, StoredRotary, UniformBackbone, observe
from zoo.attention.esm import EsmShape, load_masked_lm
from zoo.attention.masked_lm import MaskedLM, TokenDropout
from zoo.attention.pretrained import Checkpoint, WeightsError


@pytest.fixture(params=FAMILIES)
def pair(request, tmp_path):
    theirs = reference(request.param)
    return theirs, load_masked_lm(Checkpoint.open(saved(theirs, tmp_path)))


@torch.no_grad()
def test_logits_and_states_of_a_padded_batch_with_masked_tokens(pair):
    theirs, ours = pair
    ids = batch()
    present = ids != PAD
    expected = theirs(ids, attention_mask=present.long(), output_hidden_states=True)
    torch.testing.assert_close(ours(ids)[present], expected.logits[present], atol=1e-5, rtol=0)
    states = theirs.esm(ids, attention_mask=present.long()).last_hidden_state
    torch.testing.assert_close(ours.encode(ids).tokens[present], states[present], atol=1e-5, rtol=0)


@torch.no_grad()
def test_a_sequence_alone_and_padded(pair):
    _, ours = pair
    ids = batch()
    together = ours(ids)
    for row, out in zip(ids, together, strict=True):
        alone = row[row != PAD][None]
        torch.testing.assert_close(ours(alone)[0], out[: alone.shape[1]], atol=1e-5, rtol=0)


@torch.no_grad()
def test_observed_maps_are_theirs(pair):
    theirs, ours = pair
    ids = batch()
    present = ids != PAD
    with observe(ours, maps := FullMap()):
        ours(ids)
    expected = theirs(ids, attention_mask=present.long(), output_attentions=True).attentions
    for a, b in zip(maps.result().values(), expected, strict=True):
        rows = present[:, None, :, None]
        torch.testing.assert_close(a, b * rows, atol=1e-6, rtol=0)


def test_gradients_are_theirs(pair):
    theirs, ours = pair
    ids = batch()
    present = ids != PAD
    for out in (theirs(ids, attention_mask=present.long()).logits, ours(ids)):
        out[present].square().mean().backward()
    qkv = ours.backbone.blocks[0].attention.qkv.weight.grad
    own = theirs.esm.encoder.layer[0].attention.self
    expected = torch.cat([own.query.weight.grad, own.key.weight.grad, own.value.weight.grad])
    torch.testing.assert_close(qkv, expected, atol=1e-5, rtol=1e-4)


def test_token_dropout_by_hand():
    x = torch.ones(2, 4, 1)
    ids = torch.tensor([[5, MASK, 6, 7], [5, 6, PAD, PAD]])
    out = TokenDropout(MASK, trained=0.12)(x, ids, ids != PAD)
    assert out[0, :, 0].tolist() == pytest.approx([0.88 / 0.75, 0, 0.88 / 0.75, 0.88 / 0.75])
    assert out[1, :2, 0].tolist() == pytest.approx([0.88, 0.88])


# ---- what files of different ages hold


def rewritten(folder, change) -> Checkpoint:
    weights = change(load_file(folder / "model.safetensors"))
    save_file({name: weight.contiguous() for name, weight in weights.items()}, folder / "model.safetensors")
    return Checkpoint.open(folder)


@torch.no_grad()
def test_names_of_older_files_and_half_precision_frequencies(tmp_path):
    """ESM-2 as it lies on the hub: frequencies in every layer, counters, an unused table of places, a tied decoder."""
    theirs = reference("esm2")
    halved = theirs.esm.rotary_embeddings.inv_freq.half().float()
    theirs.esm.rotary_embeddings.inv_freq.copy_(halved)
    saved(theirs, tmp_path)

    def older(weights):
        weights = {name.replace(".gamma", ".weight").replace(".beta", ".bias"): w for name, w in weights.items()}
        weights = {name: w for name, w in weights.items() if "inv_freq" not in name}
        for i in range(3):
            weights[f"esm.encoder.layer.{i}.attention.self.rotary_embeddings.inv_freq"] = halved.clone()
        weights["esm.embeddings.position_ids"] = torch.arange(9)[None]
        weights["esm.embeddings.position_embeddings.weight"] = torch.zeros(9, D)
        weights["lm_head.decoder.weight"] = weights["esm.embeddings.word_embeddings.weight"].clone()
        return weights

    ours = load_masked_lm(rewritten(tmp_path, older))
    assert torch.equal(ours.backbone.positions.frequency, halved) and ours.head[-1].weight is ours.table.weight
    ids = batch(lengths=(300,), masks=False)
    torch.testing.assert_close(ours(ids), theirs(ids).logits, atol=1e-5, rtol=0)
    ours.backbone.positions.frequency.copy_(10_000 ** (-torch.arange(0, 8, 2) / 8))
    assert (ours(ids) - theirs(ids).logits).abs().max() > 5e-5  # the rounding of the frequencies is part of the model


def test_a_model_without_a_head_and_one_without_frequencies_are_said_or_filled(tmp_path):
    theirs = reference("esm2")
    theirs.esm.save_pretrained(tmp_path / "trunk")
    with pytest.raises(WeightsError, match=r"it lacks lm_head\.dense\.weight, lm_head\.dense\.bias"):
        load_masked_lm(Checkpoint.open(tmp_path / "trunk"))
    saved(theirs, tmp_path)
    without = rewritten(tmp_path, lambda w: {name: t for name, t in w.items() if "inv_freq" not in name})
    frequency = load_masked_lm(without).backbone.positions.frequency
    torch.testing.assert_close(frequency, theirs.esm.rotary_embeddings.inv_freq)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"model_type": "bert"}, "expected a config.json of an ESM model beside the weights, got one of 'bert'"),
        ({"is_folding_model": True}, "got a folding or decoding model's"),
        ({"position_embedding_type": "relative"}, "expected absolute or rotary, got 'relative'"),
        ({"num_hidden_layers": 2}, "no place for: encoder.layer.2.LayerNorm.bias, encoder.layer.2.LayerNorm.weight"),
        ({"num_hidden_layers": 4}, "lacks encoder.layer.3.attention.self.query.weight"),
        ({"intermediate_size": 100}, "encoder.layer.0.intermediate.dense.weight is 90 x 40 where the model has 100 x"),
        ({"tie_word_embeddings": False}, "lacks lm_head.decoder.weight"),
        ({"hidden_size": None}, "config.json does not say hidden_size"),
    ],
)
def test_a_config_that_does_not_fit_is_said(tmp_path, change, said):
    saved(reference("esm2"), tmp_path)
    config = json.loads((tmp_path / "config.json").read_text()) | change
    (tmp_path / "config.json").write_text(json.dumps({k: v for k, v in config.items() if v is not None}))
    with pytest.raises(WeightsError, match=re.escape(said)):
        load_masked_lm(Checkpoint.open(tmp_path))


def test_stored_frequencies_are_for_one_width_of_head():
    with pytest.raises(ValueError, match="the frequencies are for heads of 8, got 10"):
        UniformBackbone(20, 1, 2, positions=StoredRotary(8))(torch.zeros(1, 3, 20))


def test_a_backbone_built_elsewhere_is_held_against_the_shape(tmp_path):
    for family in FAMILIES:
        shape = EsmShape.of(Checkpoint.open(saved(reference(family), tmp_path / family)))
        assert shape.misfits(shape.backbone()) == []
    shape = EsmShape.of(Checkpoint.open(tmp_path / "nt_v2"))
    assert shape.misfits(UniformBackbone(D, 2, HEADS + 3, eps=1e-6)) == [
        "_target_=zoo.attention.backbone.GatedBackbone", "depth=3", "num_heads=5", "mlp_ratio=2.25", "eps=1e-05",
        "positions._target_=zoo.attention.positions.StoredRotary", "positions.head_dim=8",
    ]  # fmt: skip


def test_a_model_of_ones_own_learns():
    torch.manual_seed(0)
    model = MaskedLM(UniformBackbone(20, 1, 2), 7, pad_id=0).tie().train()
    ids = torch.arange(28).view(4, 7) % 6 + 1
    optimizer = torch.optim.AdamW(model.parameters(), 1e-2)
    losses = []
    for _ in range(30):
        loss = torch.nn.functional.cross_entropy(model(ids).flatten(0, 1), ids.flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.1 * losses[0]
