"""W&B as a run uses it, read back from the files it wrote: nothing here trusts the logger's own memory."""

import http.server
import io
import json
import os
import threading
import time
from pathlib import Path

import pandas as pd
import pytest
import pytorch_lightning as pl
import torch
import wandb
from PIL import Image
from pytorch_lightning.loggers import CSVLogger
from torch.utils.data import DataLoader, TensorDataset

from tests.wandb_reader import offline_runs, read_offline_run
from zoo.domain.insight import Figure, Insight, Table
from zoo.run import tracking
from zoo.run.tracking import ZooWandbLogger

FAKE_KEY = "x" * 40


def png() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (5, 3)).save(buffer, "png")
    return buffer.getvalue()


class Line(pl.LightningModule):
    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)

    def training_step(self, batch, batch_index):
        loss = (self.layer(batch[0]) - 2 * batch[0]).square().mean()
        self.log("train/loss", loss)
        return loss

    def validation_step(self, batch, batch_index):
        self.log("valid/loss", self.layer(batch[0]).square().mean())

    test_step = validation_step

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.01)


def fit(folder: Path, epochs: int, id: str | None = None, ckpt_path: str | None = None) -> ZooWandbLogger:
    logger = ZooWandbLogger(name="line", id=id, save_dir=str(folder))
    numbers = DataLoader(TensorDataset(torch.linspace(0, 1, 6)[:, None]), batch_size=2)  # 3 steps an epoch
    trainer = pl.Trainer(
        max_epochs=epochs,
        logger=logger,
        log_every_n_steps=1,
        accelerator="cpu",
        default_root_dir=folder,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        enable_checkpointing=False,
    )
    trainer.fit(Line(), numbers, numbers, ckpt_path=ckpt_path)
    trainer.save_checkpoint(folder / "last.ckpt")
    return logger


def end(logger: ZooWandbLogger) -> None:
    tracking.finish(logger)
    wandb.teardown()  # W&B's service may write the last records a moment after `finish` returns


@pytest.fixture(autouse=True)
def no_account(monkeypatch, tmp_path):
    """Each test starts logged out, whoever runs it, and ends with no W&B process of its own."""
    wandb.teardown()  # first: it takes its service's address out of the environment, which would be put back later
    for name in [name for name in os.environ if name.startswith("WANDB_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("NETRC", str(tmp_path / "no-netrc"))
    monkeypatch.setenv("WANDB_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.setenv("WANDB_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    yield
    wandb.teardown()


def test_mode_is_offline_without_an_account_and_online_with_one(monkeypatch):
    assert tracking.wandb_mode() == "offline"
    wandb.teardown()
    monkeypatch.setenv("WANDB_API_KEY", FAKE_KEY)
    assert tracking.wandb_mode() == "online"


@pytest.mark.parametrize("mode", ["offline", "disabled"])
def test_wandb_mode_variable_wins_over_an_account(monkeypatch, mode):
    monkeypatch.setenv("WANDB_API_KEY", FAKE_KEY)
    monkeypatch.setenv("WANDB_MODE", mode)
    assert tracking.wandb_mode() == mode


def test_a_malformed_key_means_offline(monkeypatch, capsys):
    monkeypatch.setenv("WANDB_API_KEY", "short")
    assert tracking.wandb_mode() == "offline"
    assert "Logging offline" in capsys.readouterr().out


def test_training_and_insight_arrive_in_the_file(tmp_path, capsys):
    logger = fit(tmp_path, epochs=1)
    tracking.log_config(logger, {"model": {"layers": 2}, "seed": 0})
    motifs = pd.DataFrame({"motif": ["TATA", 3], "logo": [png(), png()], "q": [1e-5, float("nan")]})
    insight = Insight(
        headline="TATA at -30",
        tables=(Table("motifs", "Motifs", motifs),),
        figures=(Figure("positions", "Where motifs sit", png()),),
        scores={"families_found": 5},
    )
    board = Table("test", "Test", pd.DataFrame({"model": ["ours"], "auroc": [0.9]}))
    tracking.log_insight(logger, insight, [board])
    tracking.log_model(logger, tmp_path / "last.ckpt", "line (best)")
    end(logger)

    said = capsys.readouterr().out
    assert said.count("wandb beta leet") == 1 and said.count("wandb sync") == 1

    (run,) = offline_runs(tmp_path)
    assert (run.id, run.project, run.name) == (logger.version, "attention-zoo", "line")
    assert run.config["model"] == {"layers": 2} and run.exit_code == 0
    losses = {row["_step"]: row["train/loss"] for row in run.history if "train/loss" in row}
    assert sorted(losses) == [0, 1, 2]
    last = run.history[-1]
    assert last["insight/families_found"] == 5 and "valid/loss" in last
    assert last["insight/figures/positions/_type"] == "image-file"
    assert last["insight/tables/motifs/_type"] == last["scoreboard/test/_type"] == "table-file"
    assert run.summary["insight/headline"] == "TATA at -30"
    assert run.artifacts["line-best-"] == ("model", ["last.ckpt"])

    folder = next(tmp_path.glob("wandb/offline-run-*"))
    table = json.loads((folder / "files" / last["insight/tables/motifs/path"]).read_text())
    assert [row[0] for row in table["data"]] == ["TATA", 3]
    (table,) = [name for name in run.artifacts if name.startswith(f"run-{run.id}-insighttablesmotifs")]
    kind, parts = run.artifacts[table]  # the pictures travel with the table
    assert kind == "run_table" and sum(part.endswith(".png") for part in parts) == 1  # one: they are equal
    (picture,) = [path for path in run.files if "positions" in path]
    assert (folder / "files" / picture).read_bytes().startswith(b"\x89PNG")


def test_a_resumed_run_keeps_its_id_and_goes_on_counting(tmp_path):
    first = fit(tmp_path, epochs=1)
    end(first)
    time.sleep(1.1)  # W&B names a run folder by the second
    assert tracking.last_run_id(tmp_path) == first.version
    end(fit(tmp_path, 2, id=tracking.last_run_id(tmp_path), ckpt_path=tmp_path / "last.ckpt"))

    before, after = offline_runs(tmp_path)
    assert before.id == after.id == first.version
    steps = [[row["_step"] for row in run.history if "train/loss" in row] for run in (before, after)]
    assert steps == [[0, 1, 2], [3, 4, 5]]
    assert [row["trainer/global_step"] for row in after.history] == [row["_step"] for row in after.history]


def test_last_run_id_of_an_empty_folder(tmp_path):
    assert tracking.last_run_id(tmp_path) is None


def test_an_unreachable_server_does_not_stop_training(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("WANDB_API_KEY", FAKE_KEY)
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")  # the discard port: nobody listens
    monkeypatch.setattr(tracking, "INIT_TIMEOUT", 2)
    started = time.monotonic()
    logger = fit(tmp_path, epochs=1)
    end(logger)
    assert time.monotonic() - started < 20
    assert "could not start online" in capsys.readouterr().out
    (run,) = offline_runs(tmp_path)
    assert run.id == logger.version and sum("train/loss" in row for row in run.history) == 3


class Server(http.server.BaseHTTPRequestHandler):
    """As much of a W&B server as `wandb.init` needs."""

    def do_POST(self):
        asked = self.rfile.read(int(self.headers.get("content-length", 0))).decode(errors="replace")
        project = {"id": "P", "name": "zoo", "entity": {"id": "E", "name": "me"}}
        bucket = {"id": "B", "name": "r", "displayName": "r", "config": "{}", "project": project, "historyLineCount": 0}
        answer = {}
        if "upsertBucket" in asked:
            answer = {"upsertBucket": {"bucket": bucket, "inserted": True}}
        elif "viewer" in asked:
            answer = {"viewer": {"id": "U", "entity": "me", "username": "me", "flags": "{}", "teams": {"edges": []}}}
        content = json.dumps({"data": answer}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *arguments):
        pass


def test_a_network_lost_in_the_middle_costs_seconds_and_no_history(tmp_path, monkeypatch):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("WANDB_API_KEY", FAKE_KEY)
    monkeypatch.setenv("WANDB_BASE_URL", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setattr(tracking, "FINISH_TIMEOUT", 2)
    logger = ZooWandbLogger(save_dir=str(tmp_path))
    logger.log_metrics({"loss": 0}, step=0)
    server.shutdown()
    server.server_close()

    started = time.monotonic()
    for step in range(1, 100):
        logger.log_metrics({"loss": step}, step=step)
    assert time.monotonic() - started < 2
    end(logger)
    assert time.monotonic() - started < 15
    (folder,) = [path for path in tmp_path.glob("wandb/run-*") if path.is_dir()]  # it did start online
    assert [row["loss"] for row in read_offline_run(folder).history] == list(range(100))


def test_disabled_writes_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "disabled")
    logger = fit(tmp_path, epochs=1)
    tracking.log_insight(logger, Insight("nothing", scores={"a": 1.0}))
    tracking.finish(logger)
    assert not list(tmp_path.glob("wandb/*run-*"))


def test_other_loggers_are_left_alone(tmp_path):
    for logger in (None, CSVLogger(tmp_path)):
        tracking.log_config(logger, {"seed": 0})
        tracking.log_insight(logger, Insight("nothing"))
        tracking.log_model(logger, tmp_path / "missing.ckpt", "model")
        tracking.finish(logger)
    assert not list(tmp_path.rglob("*wandb*")) and not list(tmp_path.rglob("*.ckpt"))


def test_history_is_on_disk_while_the_run_goes_on(tmp_path):
    """What a SIGKILL leaves behind: everything but the last seconds."""
    logger = ZooWandbLogger(save_dir=str(tmp_path))
    for step in range(5):
        logger.log_metrics({"loss": step}, step=step)
    time.sleep(2 * tracking.FLUSH_INTERVAL)
    (run,) = offline_runs(tmp_path)
    assert [row["loss"] for row in run.history] == [0, 1, 2, 3]  # the row of step 4 is still open
    end(logger)
