"""`zoo audit`: composes as `zoo train` does, trains nothing, and leaves tables, pictures and a page."""

from __future__ import annotations

import pandas as pd
import pytest

from tests.realdata import MIRROR, real
from zoo.run import cli


def test_audit_prints_and_writes(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    cli.main(["audit", "experiment=promoter", "data.num_sequences=300", "seed=3"])
    folder = tmp_path / "runs" / "promoter" / "audit"
    assert {p.name for p in folder.iterdir()} == {
        "audit.csv",
        "audit.png",
        "profile.png",
        "headline.txt",
        "report.html",
    }
    table = pd.read_csv(folder / "audit.csv")
    assert {"check", "severity", "auroc", "auroc_low", "auroc_high", "mcc", "verdict"} == set(table)
    assert (folder / "audit.png").read_bytes().startswith(b"\x89PNG")
    page = (folder / "report.html").read_text()
    assert "How the data mislead" in page and "zoo audit experiment=promoter data.num_sequences=300 seed=3" in page
    assert 'src="http' not in page and "data:image/png" in page
    said = capsys.readouterr().out
    assert "GC content" in said and (folder / "headline.txt").read_text().splitlines()[0] in said
    cli.main(["audit", "experiment=promoter", "data.num_sequences=300", "seed=4"])  # takes the earlier one's place
    assert "seed=4" in (folder / "report.html").read_text()


def test_its_words_are_checked_like_trainings(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match="2"):
        cli.main(["audit", "experiment=promotr", "data.num_sequence=9", "data.batch_size=abc"])
    said = " ".join(capsys.readouterr().err.split())
    for part in ("did you mean promoter", "did you mean data.num_sequences", "expected int"):
        assert part in said
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    with pytest.raises(SystemExit, match="2"):
        cli.main(["audit", "data.num_sequences=300", "--output", "full"])
    assert "holds something else" in capsys.readouterr().err and (tmp_path / "full" / "mine.txt").exists()


@pytest.mark.parametrize(
    ("words", "gives_it_away"),
    [(["experiment=sigma70"], {"letter case", "GC content"}), (["experiment=ctcf"], set())],
)
def test_audit_of_real_sets_by_their_cards(words, gives_it_away, tmp_path, monkeypatch):
    real("genomics/ecoli-sigma70")
    monkeypatch.setenv("ZOO_DATA", str(MIRROR))
    monkeypatch.chdir(tmp_path)
    cli.main(["audit", *words, "--output", str(tmp_path / "out")])
    table = pd.read_csv(tmp_path / "out" / "audit.csv")
    flagged = set(table.check[table.severity != "none"])
    assert flagged - {"bases at places"} == gives_it_away
