"""Two processes on the CPU (gloo): they share the examples, one of them writes, and a signal stops both."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
import torch

from tests.conftest import TINY
from zoo.domain import loader as loader_module
from zoo.domain.loader import InOrder, ResumableLoader

ROOT = Path(__file__).parents[2]
TWO = [*TINY, "trainer.devices=2", "trainer.strategy=ddp", "trainer.accelerator=cpu", "logger=csv"]


def shares(monkeypatch, processes: int, batch_size: int, start: int = 0) -> list[list[list[int]]]:
    """The batches of each process."""
    found = []
    for rank in range(processes):
        monkeypatch.setattr(loader_module, "_processes", lambda rank=rank: (rank, processes))
        loader = ResumableLoader(list(range(53)), batch_size, seed=3, collate_fn=list)
        loader.load_state_dict({"epoch": 1, "start": start})
        found.append(list(loader))
        assert len(found[-1]) == len(loader) - start // (batch_size * processes)
    return found


def test_the_processes_batches_are_one_batch_shared_out(monkeypatch):
    (alone,) = shares(monkeypatch, 1, 10)
    two = shares(monkeypatch, 2, 5)
    assert [sorted(a + b) for a, b in zip(*two, strict=True)] == [sorted(batch) for batch in alone]
    later = shares(monkeypatch, 2, 5, start=20)
    assert later == [part[2:] for part in two]


def test_validation_shows_every_example_once(monkeypatch):
    seen = []
    for rank in range(3):
        monkeypatch.setattr(loader_module, "_processes", lambda rank=rank: (rank, 3))
        seen += list(InOrder(11))
    assert sorted(seen) == list(range(11))


def start(folder: Path, *words: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", "zoo.run", "train", *TWO, *words, f"hydra.run.dir={folder}"],
        cwd=folder.parent,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_two_processes_train_and_one_tells(tmp_path):
    run = start(tmp_path / "run", "trainer.max_epochs=2")
    said, _ = run.communicate(timeout=300)
    assert run.returncode == 0, said
    assert said.count("Report:") == 1
    scores = pd.read_csv(tmp_path / "run" / "scores.csv")
    metrics = pd.read_csv(tmp_path / "run" / "metrics.csv")
    assert metrics.step.max() == 2 * (256 // 64)  # 256 training promoters, 2 x 32 a step
    assert scores.auroc[0] == pytest.approx(metrics["test/auroc"].dropna().item(), abs=1e-6)
    assert json.loads((tmp_path / "run" / "environment.json").read_text())["command"].startswith("zoo train")


def test_a_signal_to_one_process_stops_both_and_saves(tmp_path):
    folder = tmp_path / "run"
    run = start(folder, "trainer.max_epochs=500", "callbacks.early_stopping=null")
    metrics = folder / "metrics.csv"
    while not metrics.is_file() and run.poll() is None:
        time.sleep(0.2)
    run.send_signal(signal.SIGTERM)
    said, _ = run.communicate(timeout=300)
    assert run.returncode == 128 + signal.SIGTERM, said
    saved = torch.load(folder / "checkpoints" / "last.ckpt", map_location="cpu", weights_only=True)
    assert saved["global_step"] > 0


def test_a_signal_before_they_have_met_ends_both(tmp_path):
    run = start(tmp_path / "run", "trainer.max_epochs=500")
    while "GLOBAL_RANK: 0" not in run.stdout.readline() and run.poll() is None:
        pass  # the other has been started, and is loading
    run.send_signal(signal.SIGTERM)
    said, _ = run.communicate(timeout=300)  # the other's end of the pipe is closed, too
    assert run.returncode == 128 + signal.SIGTERM, said
