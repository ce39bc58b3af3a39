"""Nucleotide Transformer: its tokens beside transformers' tokeniser, its weights beside transformers' model."""

from __future__ import annotations

import random
import re
import shutil
import sys
from types import SimpleNamespace

import pandas as pd
import pytest
import torch
from esm_checkpoints import DEPTH, HEADS, HIDDEN, ITS_SHAPE, PLACES, D, K, published, vocabulary
from omegaconf import OmegaConf

from zoo.attention import StoredRotary, UniformBackbone
from zoo.attention.esm import EsmShape
from zoo.attention.pretrained import Checkpoint, WeightsError
from zoo.domain.optim import AdamW
from zoo.genomics.attribution import attention_evidence, logits
from zoo.genomics.batch import Batch
from zoo.genomics.embed import ConvStem
from zoo.genomics.kmer_blocks import KmerBlocks, numbered, words
from zoo.genomics.model import PromoterDetector
from zoo.genomics.nucleotide_transformer import StartFromNucleotideTransformer, vocabulary_rows
from zoo.genomics.sequences import from_strings
from zoo.run import cli
from zoo.run.folder import RunFolder
from zoo.run.instantiate import build
from zoo.run.paths import conf_dir
from zoo.run.train import main

TEXTS = ["ACGTTGACCATGCATTACGGA", "GGATCNACGTA", "TTGACCA", "NN", "ACGTTN"]


def codes(*texts: str) -> torch.Tensor:
    return torch.from_numpy(from_strings(texts).codes)


def tokenizer(folder):
    from transformers import EsmTokenizer

    return EsmTokenizer(str(folder / "vocab.txt"), eos_token=None)


def detector(family: str, strands="given", **embedding) -> PromoterDetector:
    from zoo.attention import GatedBackbone, Learned

    torch.manual_seed(0)
    v1 = family == "nt_v1"
    positions = Learned(PLACES - 2, D) if v1 else StoredRotary(D // HEADS)
    build = UniformBackbone if v1 else GatedBackbone
    backbone = build(D, DEPTH, HEADS, HIDDEN / D, positions=positions)
    return PromoterDetector(backbone, AdamW(), KmerBlocks(D, **{"k": K, **embedding}), strands, pool_heads=4).eval()


# ---- tokens


@pytest.mark.parametrize("k", [3, 6])
def test_tokens_are_those_of_transformers(tmp_path, k):
    (tmp_path / "vocab.txt").write_text("\n".join(vocabulary(k)))
    theirs, rows = tokenizer(tmp_path), vocabulary_rows(tmp_path / "vocab.txt", k)
    draw = random.Random(0)
    texts = [
        "".join(draw.choices("ACGTN", [9, 9, 9, 9, draw.choice([0, 1, 5])], k=draw.randint(1, 50))) for _ in range(300)
    ]
    numbers, _ = numbered(codes(*texts), k)
    for text, row in zip(texts, numbers, strict=True):
        assert rows[row[row >= 0]].tolist() == theirs(text)["input_ids"], text


def test_tokens_and_the_bases_they_own_by_hand():
    x = codes("ACGTTNGGGAC", "AC")
    embedding = KmerBlocks(4, k=3)
    tokens = embedding(x)
    assert embedding.names(x) == [["<cls>", "ACG", "T", "T", "N", "GGG", "A", "C"], ["<cls>", "A", "C"]]
    assert tokens.owner.tolist() == [[1, 1, 1, 2, 3, 4, 5, 5, 5, 6, 7], [1, 2] + [-1] * 9]
    assert tokens.mask.present.sum(1).tolist() == [8, 3] and (tokens.tokens[1, 3:] == 0).all()
    track = tokens.to_bases(torch.tensor([[100.0, 3, 1, 2, 4, 6, 7, 8], [100, 5, 9, 50, 50, 50, 50, 50]]), 11)
    assert track.tolist() == [[1, 1, 1, 1, 2, 4, 2, 2, 2, 7, 8], [5, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0]]


def test_words_are_numbered_in_the_order_of_the_codes():
    assert words(2)[:5] == ["AA", "AC", "AG", "AT", "CA"] and words(2)[16:] == ["A", "C", "G", "T", "N", "<cls>"]
    for i, word in enumerate(words(2)[:16]):
        assert numbered(codes(word), 2)[0].tolist() == [[21, i]]


# ---- weights


@pytest.mark.parametrize("family", ["nt_v1", "nt_v2"])
@torch.no_grad()
def test_states_are_those_of_transformers(family, tmp_path):
    theirs, ours = published(tmp_path, family), detector(family)
    StartFromNucleotideTransformer(str(tmp_path)).load(ours, Checkpoint.open(tmp_path))
    tokens = ours.embedding(codes(*TEXTS))
    found = ours.backbone(tokens.tokens, tokens.mask)
    asked = tokenizer(tmp_path)(TEXTS, return_tensors="pt", padding=True)
    expected = theirs.esm(asked["input_ids"], attention_mask=asked["attention_mask"]).last_hidden_state
    present = asked["attention_mask"].bool()
    assert torch.equal(present, tokens.mask.present)
    torch.testing.assert_close(found.tokens[present], expected[present], atol=1e-5, rtol=0)


@pytest.mark.parametrize("family", ["nt_v1", "nt_v2"])
@pytest.mark.parametrize("strands", ["given", "both"])
def test_a_sequence_alone_and_padded_and_what_its_attention_says(family, strands, tmp_path):
    published(tmp_path, family)
    model = detector(family, strands)
    StartFromNucleotideTransformer(str(tmp_path)).load(model, Checkpoint.open(tmp_path))
    x = codes(*TEXTS)
    together, seen = logits(model, x), attention_evidence(model, x)
    for i, text in enumerate(TEXTS):
        torch.testing.assert_close(logits(model, codes(text))[0], together[i], atol=1e-5, rtol=1e-4)
        alone = attention_evidence(model, codes(text))
        torch.testing.assert_close(alone.score[0], seen.score[i, : len(text)], atol=1e-5, rtol=1e-4)
        assert (seen.score[i, len(text) :] == 0).all()
    assert len(seen.heads) == DEPTH * HEADS + 4
    names = model.token_names(Batch(x, torch.zeros(len(TEXTS)), tuple(TEXTS)))
    assert ["".join(name[1:]) for name in names] == TEXTS


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda m, f: setattr(m, "embedding", ConvStem(D)), "the model has a ConvStem: give model=nucleotide_transf"),
        (lambda m, f: setattr(m, "backbone", detector("nt_v1").backbone),
         "give backbone._target_=zoo.attention.backbone.GatedBackbone backbone.positions._target_=zoo.attention.pos"),
        (lambda m, f: setattr(m, "embedding", KmerBlocks(D, k=4)), "bases: give model.embedding.k=3"),
        (lambda m, f: (f / "vocab.txt").unlink(), "vocab.txt is missing"),
        (lambda m, f: (f / "vocab.txt").write_text("\n".join(vocabulary(3)[:-1])), "lacks N and 0 more"),
        (lambda m, f: (f / "vocab.txt").write_text("\n".join(["a", "b", *vocabulary(3)])), "more words than the we"),
        (lambda m, f: (f / "config.json").unlink(), "expected a config.json of an ESM model beside the weights, got"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_said(tmp_path, change, said):
    published(tmp_path, "nt_v2")
    model = detector("nt_v2")
    change(model, tmp_path)
    with pytest.raises(WeightsError, match=re.escape(said)):
        StartFromNucleotideTransformer(str(tmp_path)).load(model, Checkpoint.open(tmp_path))


# ---- by config, from end to end

V1_500M = {
    "emb_layer_norm_before": False, "hidden_size": 1280, "intermediate_size": 5120, "layer_norm_eps": 1e-12,
    "mask_token_id": 2, "max_position_embeddings": 1002, "model_type": "esm", "num_attention_heads": 20,
    "num_hidden_layers": 24, "pad_token_id": 1, "position_embedding_type": "absolute", "tie_word_embeddings": False,
    "token_dropout": True, "vocab_size": 4105,
}  # fmt: skip
V2_50M = {
    "add_bias_fnn": False, "emb_layer_norm_before": False, "hidden_size": 512, "intermediate_size": 2048,
    "layer_norm_eps": 1e-12, "mask_token_id": 2, "max_position_embeddings": 2050, "num_attention_heads": 16,
    "num_hidden_layers": 12, "pad_token_id": 1, "position_embedding_type": "rotary", "tie_word_embeddings": False,
    "token_dropout": False, "vocab_size": 4107,
}  # fmt: skip


@pytest.mark.parametrize(("name", "config"), [("v1", V1_500M), ("v2", V2_50M)])
def test_shipped_backbones_have_the_published_shapes(name, config, tmp_path):
    """The two configs as their authors published them."""
    shape = EsmShape.of(Checkpoint("published", tmp_path, {}, config))
    loaded = OmegaConf.load(conf_dir() / "backbone" / f"nucleotide_transformer_{name}.yaml")
    with torch.device("meta"):
        assert shape.misfits(build(OmegaConf.create({"backbone": loaded}).backbone)) == []


SMALL = [
    "experiment=nucleotide_transformer", "data=planted_promoters", "data.num_sequences=200", "data.batch_size=32",
    *ITS_SHAPE, "logger=csv", "callbacks.progress=null", "trainer.enable_progress_bar=false", "trainer.max_epochs=1",
]  # fmt: skip


@pytest.fixture(scope="module")
def tuned(tmp_path_factory):
    """A run of one epoch from random published weights, given by a relative path; the weights are gone afterwards."""
    folder = tmp_path_factory.mktemp("tuned")
    published(folder / "nt", "nt_v2")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(sys, "argv", ["train.py"])
        main([*SMALL, "callbacks.start.weights=nt", "optimizer.learning_rate=1e-9", f"hydra.run.dir={folder / 'run'}"])
    expected = Checkpoint.open(folder / "nt").weights["esm.encoder.layer.1.attention.self.value.weight"]
    shutil.rmtree(folder / "nt")
    return folder / "run", expected


def test_a_run_starts_from_the_weights_and_is_whole_without_them(tuned, tmp_path, capsys):
    run, expected = tuned
    qkv = RunFolder.open(run).model().backbone.blocks[1].attention.qkv.weight
    torch.testing.assert_close(qkv[2 * D :], expected, atol=1e-5, rtol=0)  # it learned next to nothing
    assert RunFolder.open(run).config().callbacks.start.weights == str(run.parent / "nt")
    (tmp_path / "my.fa").write_text(">a\n" + "ACGTTGACCA" * 5 + "\n>b\nACGTNNACG\n")
    cli.main(["predict", str(run), "--input", str(tmp_path / "my.fa"), "--output", str(tmp_path / "out.csv")])
    assert pd.read_csv(tmp_path / "out.csv").probability.between(0, 1).all()
    assert (run / "report.html").is_file() and (run / "insight").is_dir()


def test_a_resumed_run_goes_on_with_what_it_learned(tuned, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(tuned[0], run)
    model = RunFolder.open(run).model()
    asked = []
    start = StartFromNucleotideTransformer("gone")
    start.load = lambda module, checkpoint: asked.append(checkpoint)
    start.setup(SimpleNamespace(ckpt_path=run / "checkpoints" / "last.ckpt"), model, "fit")
    start.setup(SimpleNamespace(ckpt_path=None), model, "test")
    assert asked == []


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("callbacks.start.weights=nowhere.bin", "callbacks.start.weights=nowhere.bin: there is no such file or folder"),
        ("backbone.depth=2", "give backbone.depth=3"),
    ],
)
def test_a_mistake_is_said_without_a_traceback(tmp_path, monkeypatch, capsys, word, said):
    published(tmp_path / "nt", "nt_v2")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["train.py"])
    with pytest.raises(SystemExit, match="2"):
        main([*SMALL, "callbacks.start.weights=nt", f"hydra.run.dir={tmp_path / 'run'}", word])
    printed = capsys.readouterr().err
    assert said in " ".join(printed.split()) and "Traceback" not in printed
