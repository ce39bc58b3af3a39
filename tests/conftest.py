"""Shared by all tests: no W&B server, no display, one thread."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

os.environ.setdefault("WANDB_MODE", "offline")
os.environ.setdefault("MPLBACKEND", "Agg")
sys.path.insert(0, str(Path(__file__).parent))

TINY = [
    "data.num_sequences=320",
    "data.batch_size=32",
    "backbone.depth=1",
    "callbacks.progress=null",
    "trainer.enable_progress_bar=false",
]


@pytest.fixture
def train_tiny(tmp_path, monkeypatch):
    """Trains the default experiment on 240 generated promoters, in this process, and gives the run folder."""

    def train(*words: str, name: str = "run") -> Path:
        from zoo.run.train import main

        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", ["train.py"])
        folder = tmp_path / name
        main([*TINY, f"hydra.run.dir={folder}", *words])
        return folder

    return train


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory):
    """One run of two epochs that several tests look at and none changes."""
    from zoo.run.train import main

    folder = tmp_path_factory.mktemp("shared") / "run"
    before = sys.argv
    sys.argv = ["train.py"]
    try:
        main([*TINY, f"hydra.run.dir={folder}", "trainer.max_epochs=2", "trainer.log_every_n_steps=1"])
    finally:
        sys.argv = before
    return folder
