"""Runs that are stopped, killed and continued."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
import torch
from conftest import TINY
from wandb_reader import offline_runs

from zoo.domain.errors import InputError
from zoo.run import cli
from zoo.run.early_stopping import EarlyStopping
from zoo.run.folder import RunFolder
from zoo.run.train import resume

REPOSITORY = Path(__file__).resolve().parents[2]
EXACT = ["logger=csv", "backbone.dropout=0.3", "trainer.max_epochs=3", "trainer.log_every_n_steps=1"]


def weights(path: Path) -> dict[str, torch.Tensor]:
    return torch.load(path, weights_only=True)["state_dict"]


@pytest.mark.parametrize(
    ("kept", "every"),
    [("epoch=0-step=8.ckpt", "every_n_epochs: 1"), ("epoch=1-step=10.ckpt", "every_n_train_steps: 5")],
    ids=["epoch boundary", "mid-epoch"],
)
def test_a_continued_run_is_bit_equal_to_an_unbroken_one(train_tiny, kept, every):
    keep_all = (
        "+callbacks.all={_target_: pytorch_lightning.callbacks.ModelCheckpoint, "
        "dirpath: '${run_dir}/all', save_top_k: -1, " + every + "}"
    )
    whole = train_tiny(*EXACT, keep_all, name="whole")
    broken = train_tiny(*EXACT, keep_all, "trainer.max_epochs=3", name="broken")
    for checkpoint in (broken / "checkpoints").iterdir():
        checkpoint.unlink()
    (broken / "all" / kept).rename(broken / "checkpoints" / "last.ckpt")
    resume(str(broken), [])
    ours, theirs = weights(broken / "checkpoints" / "last.ckpt"), weights(whole / "checkpoints" / "last.ckpt")
    assert all(torch.equal(ours[key], theirs[key]) for key in theirs)
    a, b = (pd.read_csv(folder / "metrics.csv") for folder in (broken, whole))
    columns = ["step", "train/loss"]
    pd.testing.assert_frame_equal(
        a[columns].dropna().reset_index(drop=True), b[columns].dropna().reset_index(drop=True)
    )
    assert len(a["valid/auroc"].dropna()) == len(b["valid/auroc"].dropna()) == 3


def test_a_run_that_was_moved_goes_on_where_it_is_now(train_tiny, tmp_path):
    made = train_tiny("logger=csv", "trainer.max_epochs=1", name="made")
    moved = tmp_path / "elsewhere" / "moved"
    moved.parent.mkdir()
    made.rename(moved)
    last = torch.load(moved / "checkpoints" / "last.ckpt", weights_only=True)
    state = last["callbacks"]
    for key, value in state.items():
        if key.startswith("BestCheckpoint"):
            unbeaten = torch.tensor(2.0)  # an AUROC that no later epoch can have
            best = dict.fromkeys(value["best_k_models"], unbeaten)
            state[key] = {**value, "best_model_score": unbeaten, "kth_value": unbeaten, "best_k_models": best}
    torch.save(last, moved / "checkpoints" / "last.ckpt")
    before = (moved / "checkpoints" / "best.ckpt").read_bytes()
    resume(str(moved), ["trainer.max_epochs=2"])
    assert not made.exists()
    assert torch.load(moved / "checkpoints" / "last.ckpt", weights_only=True)["epoch"] == 1
    assert (moved / "checkpoints" / "best.ckpt").read_bytes() == before  # the best is known again where it is now


def test_what_lies_in_the_checkpoint_cannot_be_changed_on_resuming(train_tiny):
    folder = train_tiny("logger=csv", "trainer.max_epochs=1")
    for word in ("optimizer.learning_rate=1", "seed=3", "trainer.max_epoch=3", "trainer.max_epochs=["):
        with pytest.raises(InputError, match=re.escape(word)):
            resume(str(folder), [word])


def start(folder: Path, *words: str) -> subprocess.Popen:
    command = [
        sys.executable,
        "train.py",
        *TINY,
        f"hydra.run.dir={folder}",
        "data.num_sequences=400",
        "data.batch_size=8",
        *words,
    ]
    environment = {**os.environ, "WANDB_MODE": "offline", "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        command, cwd=REPOSITORY, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


STEPS = 40  # an epoch: 320 sequences, 8 a batch


def wait_for_step(folder: Path, process: subprocess.Popen, step: int, seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if process.poll() is not None:
            raise AssertionError(process.stdout.read())
        path = folder / "metrics.csv"
        if path.is_file() and pd.read_csv(path).step.max() >= step:
            return
        time.sleep(0.2)
    process.kill()
    raise AssertionError(f"no step {step} within {seconds} s")


def test_sigterm_in_mid_epoch_saves_says_where_and_resumes_under_the_same_wandb_id(tmp_path):
    folder = tmp_path / "run"
    process = start(folder, "trainer.max_epochs=50", "trainer.log_every_n_steps=1")
    wait_for_step(folder, process, 3)
    process.send_signal(signal.SIGTERM)
    printed, _ = process.communicate(timeout=120)
    assert process.returncode == 128 + signal.SIGTERM, printed
    assert "zoo resume" in printed
    saved = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)["global_step"]
    last = pd.read_csv(folder / "metrics.csv").step.max()
    assert saved > 3 and last <= saved
    epochs = saved // STEPS + 1
    again = subprocess.run(
        [sys.executable, "-m", "zoo.run", "resume", str(folder), f"trainer.max_epochs={epochs}"],
        cwd=REPOSITORY,
        env={**os.environ, "WANDB_MODE": "offline"},
        capture_output=True,
        text=True,
        timeout=400,
    )
    assert again.returncode == 0, again.stdout + again.stderr
    steps = pd.read_csv(folder / "metrics.csv").dropna(subset=["train/loss"]).step
    assert steps.is_monotonic_increasing and steps.is_unique
    assert steps.max() == epochs * STEPS - 1
    first, second = offline_runs(folder)
    assert first.id == second.id
    trained = [[row["_step"] for row in run.history if "train/loss" in row] for run in (first, second)]
    assert min(trained[1]) >= saved and max(trained[1]) == epochs * STEPS - 1


def test_sigkill_leaves_no_half_written_file_and_the_run_goes_on(tmp_path):
    folder = tmp_path / "run"
    process = start(
        folder,
        "logger=csv",
        "trainer.max_epochs=50",
        "trainer.log_every_n_steps=1",
        "callbacks.every_few_minutes.minutes=0.02",
    )
    wait_for_step(folder, process, 40)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    for checkpoint in (folder / "checkpoints").glob("*.ckpt"):
        torch.load(checkpoint, weights_only=True)
    pd.read_csv(folder / "metrics.csv")
    saved = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)["global_step"]
    assert saved > 0
    again = subprocess.run(
        [sys.executable, "-m", "zoo.run", "resume", str(folder), f"trainer.max_epochs={saved // STEPS + 1}"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=400,
    )
    assert again.returncode == 0, again.stdout + again.stderr
    assert "Going on from" in again.stdout
    assert (folder / "report.html").is_file()


@pytest.mark.parametrize("word, said", [
    ("logger=none", "expected key=value with a key"),
    ("trainer=3", "expected key=value with a key"),
    ("callbacks.best=foo", "has keys of its own"),
    ("trainer.max_epochs=0", "trainer.max_epochs=0: give more"),
    ("trainer.max_epochs=abc", "max_epochs"),
])  # fmt: skip
def test_a_wrong_change_is_said_and_leaves_the_run_as_it_was(tiny_run, tmp_path, word, said, capsys):
    folder = tmp_path / "copy"
    shutil.copytree(tiny_run, folder)
    before = {p: p.read_bytes() for p in folder.glob("*.*")}
    with pytest.raises(SystemExit) as stop:
        cli.main(["resume", str(folder), word])
    assert stop.value.code == 2 and said in capsys.readouterr().err
    assert {p: p.read_bytes() for p in folder.glob("*.*")} == before


def test_a_copy_goes_on_from_its_last_state_whichever_file_is_newer(tiny_run, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(tiny_run, folder)
    os.utime(folder / "checkpoints" / "best.ckpt", (2e9, 2e9))
    assert RunFolder.open(folder).last_checkpoint().name == "last.ckpt"


def test_a_run_is_not_trained_into_another(train_tiny, capsys):
    train_tiny("trainer.max_epochs=1", "logger=csv")
    with pytest.raises(SystemExit):
        train_tiny("trainer.max_epochs=1", "logger=csv")
    assert "holds a run already" in capsys.readouterr().err


def test_patience_is_what_the_config_says():
    stopping = EarlyStopping("valid/auroc", patience=20)
    old = EarlyStopping("valid/auroc", patience=1)
    old.wait_count = 1
    stopping.load_state_dict(old.state_dict())
    assert (stopping.patience, stopping.wait_count) == (20, 1)
