"""What one training leaves behind, on disk and in Weights & Biases, and what the verbs do with it."""

from __future__ import annotations

import json
import math

import numpy as np
import pandas as pd
import pytest
import torch
from wandb_reader import offline_runs

from zoo.domain.errors import InputError
from zoo.run import cli
from zoo.run.folder import RunFolder


def test_the_folder_holds_all_that_was_promised(tiny_run):
    for name in ("config.yaml", "metrics.csv", "scores.csv", "environment.json", "report.html"):
        assert (tiny_run / name).stat().st_size > 0, name
    assert {p.name for p in (tiny_run / "checkpoints").iterdir()} >= {"best.ckpt", "last.ckpt"}
    assert {"motifs.meme", "motifs.jaspar", "sites.bed", "motifs.csv", "heads.csv", "planted.csv", "headline.txt"} <= {
        p.name for p in (tiny_run / "insight").iterdir()
    }
    assert "torch" in json.loads((tiny_run / "environment.json").read_text())
    metrics = pd.read_csv(tiny_run / "metrics.csv")
    assert {"step", "epoch", "train/loss", "valid/auroc", "test/mcc"} <= set(metrics)
    assert metrics["valid/auroc"].count() == 2
    scores = pd.read_csv(tiny_run / "scores.csv")
    assert list(scores.model[:2]) == ["attention", "4-6-mer regression"]
    assert (scores.auroc_low <= scores.auroc).all() and (scores.auroc <= scores.auroc_high).all()
    report = (tiny_run / "report.html").read_text()
    assert "position regression" in report and "http" not in report.split("</style>")[1].split("Settings")[0]


def test_the_config_alone_builds_the_model_again_with_its_weights(tiny_run):
    run = RunFolder.open(tiny_run)
    model, data = run.model(), run.data()
    state = torch.load(run.best_checkpoint(), weights_only=True)["state_dict"]
    assert all(torch.equal(v, state[k]) for k, v in model.state_dict().items())
    loader = data.test_dataloader()
    logged = pd.read_csv(tiny_run / "metrics.csv")["test/auroc"].dropna().iloc[-1]
    metric = model.new_metrics()
    with torch.no_grad():
        for batch in loader:
            outcome = model.outcome(batch)
            metric.update(outcome.prediction, outcome.target)
    assert math.isclose(float(metric.compute()["auroc"]), logged, rel_tol=1e-5)


def test_weights_and_biases_keeps_config_metrics_insight_and_model(tiny_run):
    (run,) = offline_runs(tiny_run)
    assert run.config["backbone"]["depth"] == 1
    steps = [row for row in run.history if "train/loss" in row]
    assert len(steps) == 16  # 256 sequences, 32 a batch, 2 epochs
    assert any("valid/auroc" in row for row in run.history)
    assert any(key.startswith("lr-") for row in run.history for key in row)
    keys = {key for row in run.history for key in row}
    assert any(key.startswith("insight/tables/motifs") for key in keys)
    assert any(key.startswith("insight/figures/evidence") for key in keys)
    assert any(key.startswith("scoreboard/") for key in keys)
    assert any(kind == "model" for kind, _ in run.artifacts.values())


def fasta(path, count=60, length=90, seed=0):
    rng = np.random.default_rng(seed)
    rows = ["".join(rng.choice(list("ACGT"), length + i % 7)) for i in range(count)]
    path.write_text("".join(f">s{i}\n{row}\n" for i, row in enumerate(rows)))
    return rows


def test_predict_writes_one_row_a_sequence_in_order_and_vectors(tiny_run, tmp_path):
    fasta(tmp_path / "my.fa")
    out = tmp_path / "p.csv"
    cli.main(["predict", str(tiny_run), "--input", str(tmp_path / "my.fa"), "--output", str(out), "--embeddings"])
    table = pd.read_csv(out)
    assert list(table.sequence) == [f"s{i}" for i in range(60)]
    assert table.probability.between(0, 1).all()
    vectors = np.load(tmp_path / "p.npy")
    assert vectors.shape == (60, 64)
    other = tmp_path / "other.csv"
    np.save(other.with_suffix(".npy"), vectors)
    with pytest.raises(SystemExit):
        cli.main(["predict", str(tiny_run), "--input", str(tmp_path / "my.fa"), "--output", str(other), "--embeddings"])
    assert not other.exists()
    single = tmp_path / "one.fa"
    single.write_text("".join((tmp_path / "my.fa").read_text().splitlines(keepends=True)[6:8]))
    cli.main(["predict", str(tiny_run), "--input", str(single), "--output", str(tmp_path / "one.csv")])
    alone = pd.read_csv(tmp_path / "one.csv").probability[0]
    assert alone == pytest.approx(table.probability[3], abs=1e-5), "a sequence's answer depends on its neighbours"


def test_test_scores_a_labelled_table(tiny_run, tmp_path, capsys):
    rows = fasta(tmp_path / "my.fa")
    labelled = pd.DataFrame({"sequence": rows, "label": [i % 2 for i in range(len(rows))]})
    labelled.to_csv(tmp_path / "l.csv", index=False)
    cli.main(["test", str(tiny_run), "--input", str(tmp_path / "l.csv")])
    printed = capsys.readouterr().out
    assert "AUROC" in printed and "[" in printed


def test_explain_writes_beside_the_run_and_never_over_somebody_elses_folder(tiny_run, tmp_path, capsys):
    fasta(tmp_path / "my.fa")
    out = tmp_path / "out"
    cli.main(["explain", str(tiny_run), "--input", str(tmp_path / "my.fa"), "--output", str(out)])
    assert (out / "motifs.meme").is_file() and (out / "report.html").is_file()
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "thesis.txt").write_text("years")
    with pytest.raises(SystemExit) as stop:
        cli.main(["explain", str(tiny_run), "--input", str(tmp_path / "my.fa"), "--output", str(precious)])
    assert stop.value.code == 2
    assert (precious / "thesis.txt").read_text() == "years"


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("gone.fa", None, "gone.fa"),
        ("empty.fa", "", "empty"),
        ("protein.fa", ">a\nMKVLEEPFQWIL\n" * 30, "protein"),
        ("few.fa", ">a\nACGT\n", "at least 10"),
    ],
)
def test_bad_input_gets_one_sentence_and_a_non_zero_exit(tiny_run, tmp_path, capsys, name, content, said):
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(SystemExit) as stop:
        cli.main(["explain", str(tiny_run), "--input", str(tmp_path / name)])
    assert stop.value.code == 2
    error = capsys.readouterr().err
    assert said in error and "Traceback" not in error


def test_a_strangers_checkpoint_cannot_run_code(tiny_run, tmp_path):
    import pickle
    import shutil

    class Bomb:
        def __reduce__(self):
            return (open, (str(tmp_path / "exploded"), "w"))

    run = tmp_path / "stranger"
    shutil.copytree(tiny_run, run)
    for checkpoint in (run / "checkpoints").glob("*.ckpt"):
        torch.save({"state_dict": Bomb()}, checkpoint, pickle_module=pickle)
    with pytest.raises(InputError, match="cannot be loaded as plain weights"):
        RunFolder.open(run).model()
    assert not (tmp_path / "exploded").exists()


def test_no_run_no_checkpoint(tmp_path):
    with pytest.raises(InputError, match="no run folder"):
        RunFolder.open(tmp_path)
    (tmp_path / "config.yaml").write_text("model: {}\ndata: {}\n")
    with pytest.raises(InputError, match="no checkpoint yet"):
        RunFolder.open(tmp_path).best_checkpoint()


def test_lists(capsys):
    cli.main(["list"])
    assert "promoter_tata" in capsys.readouterr().out
    cli.main(["datasets"])
    assert "gue-mouse-jund" in capsys.readouterr().out


def test_of_a_model_that_cannot_tell_the_classes_apart_nothing_is_confirmed(tiny_run):
    from zoo.genomics.findings import LEAST_AUROC

    (auroc,) = pd.read_csv(tiny_run / "scores.csv").query("model == 'attention'").auroc
    said = (tiny_run / "insight" / "headline.txt").read_text()
    assert ("does not tell the classes apart" in said) == (auroc < LEAST_AUROC)
    if auroc < LEAST_AUROC:
        assert (pd.read_csv(tiny_run / "insight" / "motifs.csv").confirmed == "no").all()
