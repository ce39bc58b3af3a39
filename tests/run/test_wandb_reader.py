"""The reader of offline W&B files, on a tiny real run."""

import numpy as np
import pytest
import wandb

from tests.wandb_reader import offline_runs, read_offline_run


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("WANDB_SILENT", "true")
    wandb.teardown()
    yield tmp_path
    wandb.teardown()


def test_everything_logged_is_read_back(folder):
    picture = wandb.Image(np.zeros((5, 7, 3), dtype=np.uint8), caption="black")
    checkpoint = folder / "best.ckpt"
    checkpoint.write_bytes(b"weights")
    config = {"seed": 3, "model": {"heads": [2, 4]}}
    with wandb.init(mode="offline", dir=folder, project="zoo", name="tiny", id="tiny1", config=config) as run:
        run.log({"loss": 1.5, "epoch": 0}, step=0)
        run.log({"loss": 0.5, "note": "x" * 100_000}, step=7)  # a record longer than two 32 KiB blocks
        run.log({"figure": picture, "table": wandb.Table(columns=["a", "b"], data=[[1, "x"]])}, step=9)
        artifact = wandb.Artifact("tiny-model", type="model")
        artifact.add_file(str(checkpoint))
        run.log_artifact(artifact)
        run.summary["best"] = 0.5
    wandb.teardown()  # its service may write the last records a moment after the run has finished

    (seen,) = offline_runs(folder)
    assert (seen.id, seen.project, seen.name, seen.exit_code) == ("tiny1", "zoo", "tiny", 0)
    assert seen.config["seed"] == 3 and seen.config["model"] == {"heads": [2, 4]}
    assert [(row["_step"], row.get("loss")) for row in seen.history] == [(0, 1.5), (7, 0.5), (9, None)]
    assert len(seen.history[1]["note"]) == 100_000
    assert seen.history[2]["figure/_type"] == "image-file" and seen.history[2]["figure/width"] == 7
    assert seen.history[2]["table/_type"] == "table-file" and seen.history[2]["table/nrows"] == 1
    assert seen.history[2]["figure/path"] in seen.files and seen.history[2]["table/path"] in seen.files
    assert seen.summary["best"] == 0.5 and seen.summary["loss"] == 0.5
    assert seen.artifacts["tiny-model"] == ("model", ["best.ckpt"])
    assert seen.artifacts["run-tiny1-table"] == ("run_table", ["table.table.json"])


def test_a_file_cut_short_gives_what_came_before(folder):
    with wandb.init(mode="offline", dir=folder, id="cut") as run:
        for step in range(20):
            run.log({"loss": step})
    wandb.teardown()
    path = next(folder.glob("wandb/offline-run-*/*.wandb"))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    losses = [row["loss"] for row in read_offline_run(path).history]
    assert losses == list(range(len(losses))) and len(losses) < 20


def test_another_file_is_refused(tmp_path):
    (tmp_path / "x.wandb").write_bytes(b"not a run")
    with pytest.raises(ValueError, match="no W&B run file"):
        read_offline_run(tmp_path)
