"""The folder of one run: what it holds, and how a model comes back out of it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning import LightningDataModule

from zoo.domain.errors import InputError
from zoo.domain.module import DomainModule
from zoo.run.files import write_text
from zoo.run.instantiate import build


@dataclass(frozen=True)
class RunFolder:
    """config.yaml, checkpoints/{best,last}.ckpt, metrics.csv, environment.json, insight/, report.html."""

    path: Path

    @classmethod
    def open(cls, path: str | Path) -> RunFolder:
        """Raises InputError if there is no run."""
        folder = cls(Path(path).expanduser())
        if not folder.config_file.is_file():
            raise InputError(f"{path} is no run folder: it has no config.yaml; give a folder that training has made")
        return folder

    @property
    def config_file(self) -> Path:
        return self.path / "config.yaml"

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    @property
    def metrics_file(self) -> Path:
        return self.path / "metrics.csv"

    @property
    def environment_file(self) -> Path:
        return self.path / "environment.json"

    def environment(self) -> dict[str, Any]:
        """The commands and the versions of the run; empty where the file is lost or damaged."""
        try:
            found = json.loads(self.environment_file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def command(self) -> str:
        return str(self.environment().get("command", ""))

    def save_config(self, cfg: DictConfig) -> None:
        """The composed config with every interpolation resolved, so that it means the same anywhere."""
        write_text(self.config_file, OmegaConf.to_yaml(OmegaConf.create(OmegaConf.to_container(cfg, resolve=True))))

    def config(self) -> DictConfig:
        try:
            cfg = OmegaConf.load(self.config_file)
        except Exception as error:
            raise InputError(f"{self.config_file} cannot be read as YAML: {error}") from error
        if not isinstance(cfg, DictConfig) or not {"model", "data"} <= set(cfg):
            raise InputError(f"{self.config_file} is no run's config: it has no model or no data")
        return cfg

    def config_here(self) -> DictConfig:
        """The config with every path in the folder where the run was made turned to the folder where it is now."""
        cfg = self.config()
        made, here = str(cfg.get("run_dir", "")), str(self.path.resolve())

        def turned(node: Any) -> Any:
            if isinstance(node, dict):
                return {key: turned(value) for key, value in node.items()}
            if isinstance(node, list):
                return [turned(value) for value in node]
            if isinstance(node, str) and made and (node == made or node.startswith(made + "/")):
                return here + node[len(made) :]
            return node

        return OmegaConf.create(turned(OmegaConf.to_container(cfg)))

    @property
    def has_checkpoint(self) -> bool:
        """Is there anything that could be lost, or gone on with?"""
        return any(self.checkpoints.glob("*.ckpt"))

    def last_checkpoint(self) -> Path:
        """`last.ckpt`: it is never behind the best. (Which file is newer tells nothing in a copy of the folder.)"""
        last = self.checkpoints / "last.ckpt"
        return last if last.is_file() else self._newest("*.ckpt")

    def best_checkpoint(self) -> Path:
        """The best state on the validation part; the last one if validation never ran."""
        return self._newest("best*.ckpt" if any(self.checkpoints.glob("best*.ckpt")) else "*.ckpt")

    def _newest(self, pattern: str) -> Path:
        found = sorted(self.checkpoints.glob(pattern), key=lambda p: p.stat().st_mtime)
        if not found:
            raise InputError(f"{self.path} holds no checkpoint yet: train for longer before asking of it")
        return found[-1]

    def model(self) -> DomainModule:
        """The run's best model, in eval mode. Nothing in the folder can run code: see `build`, and weights_only."""
        module = build(self.config().model)
        load_weights(module, self.best_checkpoint())
        return module.eval()

    def data(self) -> LightningDataModule:
        return build(self.config().data)


def load_weights(module: DomainModule, checkpoint: Path) -> None:
    """Raises InputError if the file is no checkpoint of this model, or would run code on loading."""
    try:
        state = torch.load(checkpoint, map_location="cpu", weights_only=True)["state_dict"]
    except Exception as error:
        raise InputError(
            f"{checkpoint} cannot be loaded as plain weights ({type(error).__name__}): it is damaged, or holds objects "
            "that would run code; use a checkpoint that this program has written"
        ) from error
    try:
        module.load_state_dict(state)
    except RuntimeError as error:
        raise InputError(
            f"{checkpoint} does not fit the model of its config.yaml: {str(error).splitlines()[-1].strip()}"
        ) from error
