"""The experiment whole: planted chains are learned, their control is not, and the verbs take one's own graph."""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd
import pytest

from zoo.run import cli

QUIET = ["callbacks.progress=null", "trainer.enable_progress_bar=false"]
SMALL = ["data.num_agents=12", "data.depth=2", "data.num_graphs=80", "data.held_out=6", "backbone.depth=2",
         "backbone.dim=16", "trainer.max_epochs=12"]  # fmt: skip


def run_of(folder, *words: str):
    from zoo.run.train import main

    before, sys.argv = sys.argv, ["train.py"]
    try:
        main([*words, *SMALL, *QUIET, f"hydra.run.dir={folder}"])
    finally:
        sys.argv = before
    return folder


@pytest.fixture(scope="module")
def chain(tmp_path_factory):
    return run_of(tmp_path_factory.mktemp("graphs") / "run", "experiment=supply_chain")


def test_prices_are_learned_on_graphs_that_were_never_seen(chain):
    scores = pd.read_csv(chain / "scores.csv").set_index("model")
    assert scores.r2["attention"] > 0.97 > 0.9 > scores.r2["exact, 1 hop"]
    assert scores.r2["exact, 2 hops"] == pytest.approx(1, abs=1e-6)


def test_the_insight_agrees_with_the_known_answer_and_is_confirmed(chain):
    suppliers = pd.read_csv(chain / "insight" / "suppliers.csv")
    assert np.abs(suppliers.gradient - suppliers.exact).max() < 0.15
    paths = pd.read_csv(chain / "insight" / "paths.csv")
    assert np.corrcoef(paths["attention"], paths["shares multiplied"])[0, 1] > 0.97
    disruption = pd.read_csv(chain / "insight" / "disruption.csv").set_index("hops")
    assert disruption.difference[0] == pytest.approx(0, abs=0.1) and disruption["relative error"][1] < 0.2
    page = (chain / "insight" / "influence.html").read_text()
    assert "default-src 'none'" in page and "http" not in page.split("<body>")[1]
    assert "beyond reach the gradient is at most 0." in (chain / "insight" / "headline.txt").read_text()


def test_the_shuffled_control_learns_nothing(tmp_path):
    folder = run_of(tmp_path / "run", "experiment=supply_chain_shuffled")
    scores = pd.read_csv(folder / "scores.csv").set_index("model")
    assert scores.r2["attention"] < 0.1


def test_predict_test_and_explain_take_a_persons_own_graph(chain, tmp_path):
    own = tmp_path / "own"
    own.mkdir()
    pd.DataFrame({"name": ["mine", "mill", "shop"], "shock": [1.0, 0.0, 0.0], "response": [0.0, 0.5, 0.4]}).to_csv(
        own / "agents.csv", index=False
    )
    pd.DataFrame({"supplier": ["mine", "mill"], "buyer": ["mill", "shop"], "weight": [0.5, 0.8]}).to_csv(
        own / "links.csv", index=False
    )
    cli.main(["predict", str(chain), "--input", str(own), "--output", str(tmp_path / "out.csv"), "--embeddings"])
    table = pd.read_csv(tmp_path / "out.csv")
    assert table.agent.tolist() == ["mine", "mill", "shop"]
    np.testing.assert_allclose(table.response, [0, 0.5, 0.4], atol=0.12)
    assert np.load(tmp_path / "out.npy").shape == (3, 16)
    cli.main(["test", str(chain), "--input", str(own)])
    cli.main(["explain", str(chain), "--input", str(own), "--output", str(tmp_path / "told")])
    assert (tmp_path / "told" / "graph.png").stat().st_size > 1000 and (tmp_path / "told" / "report.html").is_file()


def test_a_graph_that_cannot_be_used_ends_with_one_sentence(chain, tmp_path, capsys):
    (tmp_path / "agents.csv").write_text("name,shock\na,1\nb,0\n")
    (tmp_path / "links.csv").write_text("supplier,buyer\na,a\n")
    with pytest.raises(SystemExit, match="2"):
        cli.main(["predict", str(chain), "--input", str(tmp_path)])
    said = " ".join(capsys.readouterr().err.split())
    assert "self-loops" in said and "Traceback" not in said


def test_mistakes_in_the_config_are_said_before_anything_is_built(tmp_path, capsys):
    with pytest.raises(SystemExit, match="2"):
        run_of(
            tmp_path / "run", "experiment=relations", "model.purity=0.1", "data.scenarios=0", "backbone.num_prefix=1"
        )
    said = " ".join(capsys.readouterr().err.split())
    assert "model.purity=0.1" in said and "data.scenarios=0" in said and "num_prefix must be 0" in said
    assert not (tmp_path / "run").exists()
