"""When a run is saved, beside its best epoch."""

from __future__ import annotations

import io
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.plugins.io import TorchCheckpointIO

from zoo.run.files import write_bytes


class _Movable(ModelCheckpoint):
    """Knows its files again after the run folder was moved.

    Lightning's own forgets its best score when `dirpath` has changed, and would let any later epoch take its place.
    """

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict(_moved(state_dict, self.dirpath))


def _moved(state: dict[str, Any], dirpath: str | None) -> dict[str, Any]:
    """The state with its paths in `dirpath`."""

    def here(path: str) -> str:
        return str(Path(dirpath or "") / Path(path).name) if path else path

    paths = {key: here(state[key]) for key in ("best_model_path", "kth_best_model_path", "last_model_path")}
    best = {here(path): score for path, score in state["best_k_models"].items()}
    return {**state, **paths, "best_k_models": best, "dirpath": dirpath}


class BestCheckpoint(_Movable):
    """Keeps `best.ckpt`: the best epoch by `monitor`."""

    def __init__(self, dirpath: str, monitor: str, mode: str):
        super().__init__(
            dirpath=dirpath, filename="best", monitor=monitor, mode=mode, save_top_k=1, enable_version_counter=False
        )


class LastCheckpoint(_Movable):
    """Keeps `last.ckpt`: at the end of every epoch, or (every `minutes`) in the middle of one.

    One epoch can be the whole run, so a run should hold one of each.
    """

    def __init__(self, dirpath: str, minutes: float | None = None):
        super().__init__(
            dirpath=dirpath,
            filename="last",
            monitor=None,
            save_top_k=1,
            enable_version_counter=False,
            train_time_interval=None if minutes is None else timedelta(minutes=minutes),
            every_n_epochs=1 if minutes is None else None,
        )

    @property
    def state_key(self) -> str:
        return self._generate_state_key(kind="last", interval=str(self._train_time_interval))


class WholeCheckpoints(TorchCheckpointIO):
    """Writes a checkpoint beside its place and renames it: whole or not at all, on any file system.

    Lightning's own way goes through the system's temporary folder, which may lie on another disk; the last step is
    then a copy over the checkpoint before.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        stream = io.BytesIO()
        torch.save(checkpoint, stream)
        write_bytes(Path(path), stream.getvalue())
