"""The default experiment whole: every planted factor must come out, and nothing from permuted labels."""

from __future__ import annotations

import sys

import pandas as pd
import pytest

QUIET = ["logger=csv", "callbacks.progress=null", "trainer.enable_progress_bar=false"]


def planted_table(folder, monkeypatch, *words: str) -> pd.DataFrame:
    from zoo.run.train import main

    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "argv", ["train.py"])
    main([*words, *QUIET, f"hydra.run.dir={folder / 'run'}"])
    return pd.read_csv(folder / "run" / "insight" / "planted.csv", keep_default_na=False)


@pytest.mark.slow
@pytest.mark.timeout(2400)  # minutes alone, much more beside other work
def test_every_planted_factor_is_found_and_no_decoy(tmp_path, monkeypatch):
    table = planted_table(tmp_path, monkeypatch)
    telling = table["tells the classes apart"] == "yes"
    assert telling.sum() == 6
    assert (table["found as"] != "").equals(telling), table.to_string()
    assert table["found as"][telling].is_unique


@pytest.mark.slow
@pytest.mark.timeout(2400)  # minutes alone, much more beside other work
def test_permuted_labels_give_no_motif(tmp_path, monkeypatch):
    table = planted_table(tmp_path, monkeypatch, "experiment=promoter_shuffled")
    assert (table["found as"] == "").all() and len(table) == 8
    motifs = pd.read_csv(tmp_path / "run" / "insight" / "motifs.csv")
    assert not (motifs.confirmed == "yes").any(), "a motif that is none of the planted ones"
