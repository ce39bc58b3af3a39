"""Weights of others: read from every kind of file, renamed by rules, refused in one sentence."""

from __future__ import annotations

import json
import re
import sys

import huggingface_hub
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from zoo.attention import UniformBackbone
from zoo.attention.pretrained import Checkpoint, WeightsError
from zoo.attention.renaming import Rule, fill

STATE = {"a.weight": torch.arange(6.0).view(2, 3), "a.bias": torch.tensor([7.0, 8.0])}


def same(found) -> bool:
    return found.keys() == STATE.keys() and all(torch.equal(found[name], STATE[name]) for name in STATE)


def sharded(folder) -> None:
    save_file({"a.weight": STATE["a.weight"]}, folder / "model-1.safetensors")
    save_file({"a.bias": STATE["a.bias"]}, folder / "model-2.safetensors")
    where = {"a.weight": "model-1.safetensors", "a.bias": "model-2.safetensors"}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": where}))


def whole(folder, name="model.safetensors"):
    save_file(STATE, folder / name)
    return folder / name


# ---- reading


@pytest.mark.parametrize("name", ["model.safetensors", "other.safetensors"])
def test_safetensors_by_file_and_by_folder(tmp_path, name):
    file = whole(tmp_path, name)
    (tmp_path / "config.json").write_text('{"hidden_size": 3}')
    for source in (file, str(file), tmp_path):
        found = Checkpoint.open(source)
        assert same(found.weights) and found.config == {"hidden_size": 3} and found.folder == tmp_path


@pytest.mark.parametrize("wrap", [lambda s: s, lambda s: {"model": s, "epoch": 3}, lambda s: {"state_dict": s}])
@pytest.mark.parametrize("name", ["pytorch_model.bin", "x.pt"])
def test_pickled_tensors_with_and_without_a_wrapper(tmp_path, wrap, name):
    torch.save(wrap(STATE), tmp_path / name)
    assert same(Checkpoint.open(tmp_path).weights)
    assert Checkpoint.open(tmp_path / name).config == {}


def test_several_files_by_their_index(tmp_path):
    sharded(tmp_path)
    assert same(Checkpoint.open(tmp_path).weights)
    assert same(Checkpoint.open(tmp_path / "model.safetensors.index.json").weights)


class Code:
    def __reduce__(self):
        return print, ("ran",)


@pytest.mark.parametrize(
    ("write", "said"),
    [
        (lambda f: torch.save({"a": Code()}, f / "x.pt"), "would run code"),
        (lambda f: (f / "x.safetensors").write_bytes(b"nothing"), "it is damaged"),
        (lambda f: (f / "x.bin").write_bytes(b""), "it is damaged"),
        (lambda f: torch.save({"a": 3}, f / "x.pt"), "holds no state dict"),
        (lambda f: None, "should hold one file of weights and holds none"),
        (lambda f: (whole(f, "x.safetensors"), whole(f, "y.safetensors")), "holds 2 (x.safetensors, y.safetensors)"),
        (lambda f: (sharded(f), (f / "model-2.safetensors").unlink()), "model-2.safetensors is missing"),
        (lambda f: (whole(f), (f / "config.json").write_text("{")), "config.json cannot be read as JSON"),
        (lambda f: (f / "model.safetensors.index.json").write_text('{"weight_map": {"a": "../x"}}'), "outside its"),
    ],
)
def test_what_cannot_be_read_is_said(tmp_path, capsys, write, said):
    write(tmp_path)
    with pytest.raises(WeightsError, match=re.escape(said)):
        Checkpoint.open(tmp_path)
    assert "ran" not in capsys.readouterr().out


def test_a_name_on_the_hub_is_fetched_and_read(tmp_path, monkeypatch):
    asked = []

    def snapshot(name, allow_patterns):
        asked.append(name)
        if "*.bin" in allow_patterns:  # this model has no safetensors
            torch.save(STATE, tmp_path / "pytorch_model.bin")
        return str(tmp_path)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot)
    assert same(Checkpoint.open("owner/model").weights) and asked == ["owner/model"] * 2


def test_without_network_client_or_sense_it_is_said(monkeypatch):
    def offline(name, allow_patterns):
        raise ConnectionError("no route to host. Try later.")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", offline)
    with pytest.raises(WeightsError, match=r"cannot be fetched from the hub \(ConnectionError: no route to host\)"):
        Checkpoint.open("owner/model")
    with pytest.raises(WeightsError, match="there is no such file or folder"):
        Checkpoint.open("nowhere/at/all.safetensors")
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(WeightsError, match="pip install huggingface_hub"):
        Checkpoint.open("owner/model")


# ---- renaming


class Pair(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(3, 4), nn.Linear(3, 4)])
        self.head = nn.Linear(3, 2)
        self.register_buffer("scale", torch.zeros(2))


RULES = [Rule("layers.{i}.{p}", "l.{i}.up.{p}", "l.{i}.down.{p}"), Rule("scale", "gain", made=lambda x: x[1:])]


def theirs() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    shapes = {"weight": (2, 3), "bias": (2,)}
    weights = {
        f"l.{i}.{side}.{p}": torch.randn(*shape, generator=generator)
        for i in range(2) for side in ("up", "down") for p, shape in shapes.items()
    }  # fmt: skip
    return weights | {"gain": torch.tensor([1.0, 2.0, 3.0]), "pooler.weight": torch.ones(1)}


def test_parts_are_joined_made_and_placed():
    module, weights = Pair(), theirs()
    before = module.head.weight.clone()
    fitted = fill(module, weights, RULES, left_out=["pooler.*"], stays=["head.*"])
    assert torch.equal(module.layers[1].weight, torch.cat([weights["l.1.up.weight"], weights["l.1.down.weight"]]))
    assert torch.equal(module.layers[0].bias, torch.cat([weights["l.0.up.bias"], weights["l.0.down.bias"]]))
    assert module.scale.tolist() == [2, 3] and torch.equal(module.head.weight, before)
    assert fitted.left_out == ["pooler.weight"] and fitted.stayed == ["head.weight", "head.bias"]
    assert fitted.filled["layers.1.bias"] == ["l.1.up.bias", "l.1.down.bias"]


def test_all_that_does_not_fit_comes_in_one_sentence_and_nothing_is_changed():
    module, weights = Pair(), theirs()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    del weights["l.1.down.bias"]
    weights["l.0.up.weight"] = torch.zeros(5, 3)
    weights["l.1.up.weight"] = torch.zeros(2, 7)
    with pytest.raises(WeightsError) as error:
        fill(module, weights, RULES, source="my.pt")
    assert str(error.value) == (
        "my.pt does not fit the model: it lacks l.1.down.bias, head.weight (ours), head.bias (ours); it holds what the "
        "model has no place for: pooler.weight; l.0.up.weight is 5 x 3 + 2 x 3 where the model has 4 x 3, "
        "l.1.up.weight is 2 x 7 + 2 x 3 where the model has 4 x 3"
    )
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())


def test_of_two_rules_the_first_whose_sources_are_there_and_tied_weights_once():
    module = nn.Module()
    module.first, module.second = nn.Linear(3, 2, bias=False), nn.Linear(3, 2, bias=False)
    module.second.weight = module.first.weight
    rules = [Rule("first.weight", "new"), Rule("first.weight", "old")]
    fill(module, {"old": torch.ones(2, 3)}, rules)
    assert module.second.weight.sum() == 6
    fill(module, {"new": torch.zeros(2, 3), "old": torch.ones(2, 3)}, rules, left_out=["old"])
    assert module.second.weight.sum() == 0


def test_half_precision_becomes_the_models_own():
    module = nn.Linear(3, 2, bias=False)
    fill(module, {"w": torch.full((2, 3), 0.5, dtype=torch.float16)}, [Rule("weight", "w")])
    assert module.weight.dtype == torch.float32 and (module.weight == 0.5).all()


@torch.no_grad()
def test_timms_vision_transformer_comes_through_the_same_door(tmp_path):
    """Blocks and last norm; the patches are an embedding's business."""
    from timm.models.vision_transformer import VisionTransformer

    torch.manual_seed(0)
    theirs = VisionTransformer(img_size=32, embed_dim=40, depth=3, num_heads=5, mlp_ratio=2.25, num_classes=7).eval()
    for p in theirs.parameters():
        p.add_(torch.randn(p.shape) * 0.1)
    torch.save({"model": theirs.state_dict()}, tmp_path / "vit.pth")
    ours = UniformBackbone(40, 3, 5, 2.25, eps=1e-6).eval()
    block = "blocks.{i}."
    rules = [
        Rule(block + "norm{j}.{p}", block + "norm{j}.{p}"),
        Rule(block + "attention.qkv.{p}", block + "attn.qkv.{p}"),
        Rule(block + "attention.out.{p}", block + "attn.proj.{p}"),
        Rule(block + "mlp.0.{p}", block + "mlp.fc1.{p}"),
        Rule(block + "mlp.2.{p}", block + "mlp.fc2.{p}"),
        Rule("norm.{p}", "norm.{p}"),
    ]
    elsewhere = ["cls_token", "pos_embed", "patch_embed.*", "head.*"]
    fitted = fill(ours, Checkpoint.open(tmp_path / "vit.pth").weights, rules, elsewhere)
    assert len(fitted.filled) == 38 and len(fitted.left_out) == 6 and fitted.stayed == []
    x = torch.randn(3, 11, 40)
    torch.testing.assert_close(ours(x).tokens, theirs.norm(theirs.blocks(x)), atol=1e-5, rtol=0)
