"""`zoo heads RUN`, and the two losses chosen by config."""

from __future__ import annotations

import pandas as pd
import pytest

from zoo.heads.roles import ROLES
from zoo.run import cli
from zoo.run.folder import RunFolder


def test_heads_of_a_run(tiny_run, tmp_path, capsys):
    out = tmp_path / "heads"
    cli.main(["heads", str(tiny_run), "--output", str(out), "--batches", "2"])
    table = pd.read_csv(out / "heads.csv")
    own = table[table.role != "pooling"]
    assert len(own) == 4 and set(own.role) <= set(ROLES) and own.cluster.notna().all()
    assert table[["entropy", "gate gradient", "ablation", "output norm"]].notna().all().all()
    cka = pd.read_csv(out / "heads_cka.csv", index_col=0)
    assert cka.shape == (4, 4) and (abs(cka.to_numpy().diagonal() - 1) < 1e-6).all()
    page = (out / "heads.html").read_text()
    assert "backbone.blocks.0.attention" in page and "https://" not in page
    assert (out / "ablation.png").stat().st_size > 1000 and (out / "heads_cka.png").stat().st_size > 1000
    assert "Page:" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        cli.main(["heads", str(tiny_run), "--output", str(out)])
    assert "name a new folder" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        cli.main(["heads", str(tiny_run), "--batches", "0"])


def test_tokens_are_named_by_their_bases(tiny_run):
    run = RunFolder.open(tiny_run)
    data, model = run.data(), run.model()
    batch = next(iter(data.val_dataloader()))
    names = model.token_names(batch)
    assert len(names) == len(batch.codes) and len(names[0]) == model.embedding(batch.codes).tokens.shape[1]
    assert set("".join(names[0])) <= set("ACGTN") and len("".join(names[0])) == int((batch.codes[0] != 5).sum())


@pytest.mark.parametrize("callbacks", ["orthogonal_heads", "disagreeing_heads"])
def test_heads_can_be_asked_to_differ(train_tiny, callbacks):
    folder = train_tiny(f"callbacks={callbacks}", "callbacks.progress=null", "trainer.max_epochs=1", "logger=csv",
                        "trainer.log_every_n_steps=1")  # fmt: skip
    metrics = pd.read_csv(folder / "metrics.csv")
    assert metrics["train/diversity"].dropna().between(0, 1).all() and len(metrics["train/diversity"].dropna()) > 3
