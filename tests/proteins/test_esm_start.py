"""ESM under the contact predictor: what it reads beside transformers' model, a run from it, frozen and resumed."""

from __future__ import annotations

import shutil
import sys

import pandas as pd
import pytest
import torch
from esm_checkpoints import DEPTH, ESM_SHAPE, HEADS, HIDDEN, PLACES, D, reference, saved
from omegaconf import OmegaConf
from realdata import MIRROR, real

from zoo.attention import Learned, StoredRotary, UniformBackbone
from zoo.attention.esm import EsmShape
from zoo.attention.positions import Normed
from zoo.attention.pretrained import Checkpoint, WeightsError
from zoo.domain.optim import AdamW
from zoo.proteins.alphabet import encode
from zoo.proteins.esm import EsmAlphabet
from zoo.proteins.esm_start import StartFromEsm
from zoo.proteins.residues import EsmResidues, Residues
from zoo.proteins.sequence_map import SequenceMap
from zoo.proteins.sequence_model import SequencePredictor
from zoo.run import cli
from zoo.run.folder import load_weights
from zoo.run.instantiate import build
from zoo.run.paths import conf_dir
from zoo.run.train import main

SEQUENCES = ("MKTVRQERLKSIVRILERSKEPVSG", "ACDXW", "W")


def predictor(family: str = "esm2", kind: type[Residues] = EsmResidues) -> SequencePredictor:
    torch.manual_seed(0)
    positions = StoredRotary(D // HEADS) if family == "esm2" else Normed(Learned(PLACES - 2, D), D, 1e-5)
    encoder = UniformBackbone(D, DEPTH, HEADS, HIDDEN / D, positions=positions, eps=1e-5)
    return SequencePredictor(SequenceMap(kind(encoder), dim=32, reach=(1, 2, 4, 1)), AdamW()).eval()


def batch() -> tuple[torch.Tensor, torch.Tensor]:
    longest = max(map(len, SEQUENCES))
    codes, present = torch.zeros(3, longest, dtype=torch.long), torch.zeros(3, longest, dtype=torch.bool)
    for row, text in enumerate(SEQUENCES):
        codes[row, : len(text)], present[row, : len(text)] = torch.from_numpy(encode(text)).long(), True
    return codes, present


@pytest.mark.parametrize("family", ["esm2", "esm1b"])
@torch.no_grad()
def test_states_are_those_of_transformers(family, tmp_path):
    theirs = reference(family)
    checkpoint = Checkpoint.open(saved(theirs, tmp_path))
    model = predictor(family)
    StartFromEsm(str(tmp_path)).load(model, checkpoint)
    ours = model.backbone.residues(*batch())
    ids = EsmAlphabet().numbers(SEQUENCES)
    expected = theirs.esm(ids, (ids != 1).long()).last_hidden_state
    for row, text in enumerate(SEQUENCES):
        torch.testing.assert_close(ours[row, : len(text)], expected[row, 1 : len(text) + 1], atol=1e-5, rtol=1e-5)


def test_what_does_not_fit_is_said(tmp_path):
    checkpoint = Checkpoint.open(saved(reference("esm2"), tmp_path))
    with pytest.raises(WeightsError, match="give backbone=sequence_map_esm2"):
        StartFromEsm("x").load(predictor(kind=Residues), checkpoint)
    with pytest.raises(WeightsError, match=r"give backbone\.residues\.encoder\.positions\._target_="):
        StartFromEsm("x").load(predictor("esm1b"), checkpoint)


def test_the_shipped_backbone_is_esm2_8m(tmp_path):
    published = {
        "model_type": "esm", "vocab_size": 33, "hidden_size": 320, "num_hidden_layers": 6, "num_attention_heads": 20,
        "intermediate_size": 1280, "layer_norm_eps": 1e-5, "pad_token_id": 1, "mask_token_id": 32,
        "max_position_embeddings": 1026, "position_embedding_type": "rotary", "token_dropout": True,
    }  # fmt: skip
    shape = EsmShape.of(Checkpoint("published", tmp_path, {}, published))
    shipped = OmegaConf.load(conf_dir() / "backbone" / "sequence_map_esm2.yaml")
    with torch.device("meta"):
        assert shape.misfits(build(OmegaConf.create({"backbone": shipped}).backbone).residues.encoder) == []


SMALL = [
    "experiment=contacts_esm", "data.first=16", "callbacks.start.weights=esm", *ESM_SHAPE, "logger=csv",
    "callbacks.progress=null", "trainer.enable_progress_bar=false", "trainer.max_epochs=1", "insight=false",
    "optimizer.learning_rate=1e-2",
]  # fmt: skip


@pytest.mark.parametrize("frozen", [True, False])
def test_a_run_is_frozen_or_not_and_stays_so_when_it_goes_on(frozen, tmp_path, monkeypatch):
    real("proteins/cgdms_chains")
    monkeypatch.setenv("ZOO_DATA", str(MIRROR))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["train.py"])
    saved(reference("esm2"), tmp_path / "esm")
    published = Checkpoint.open(tmp_path / "esm").weights["esm.encoder.layer.1.attention.self.value.weight"]
    words = [*SMALL, f"callbacks.start.frozen={frozen}", f"hydra.run.dir={tmp_path / 'run'}"]
    with pytest.raises(SystemExit):  # refused when the weights are read; the folder is no run yet
        main([*words, "backbone.residues.encoder.depth=1"])
    main(words)

    def learned() -> tuple[bool, torch.Tensor]:
        model = predictor()
        load_weights(model, tmp_path / "run" / "checkpoints" / "last.ckpt")
        model = model.backbone
        value = model.residues.encoder.blocks[1].attention.qkv.weight[2 * D :]
        return not torch.allclose(value, published), model.left.weight

    moved, first = learned()
    assert moved != frozen
    cli.main(["resume", str(tmp_path / "run"), "trainer.max_epochs=2"])
    moved, second = learned()
    assert moved != frozen and not torch.allclose(first, second)
    shutil.rmtree(tmp_path / "esm")  # what was learned is whole without them
    (tmp_path / "my.fa").write_text(f">a\n{SEQUENCES[0]}\n")
    cli.main(["explain", str(tmp_path / "run"), "--input", "my.fa"])
    heads = pd.read_csv(tmp_path / "run" / "insight_my" / "heads.csv")
    assert len(heads) == DEPTH * HEADS and heads["mean distance"].between(0, 24).all()
