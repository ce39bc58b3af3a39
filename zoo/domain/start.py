"""A run that starts from published weights."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable

import pytorch_lightning as pl
from torch import nn

from zoo.attention.pretrained import Checkpoint, WeightsError, problem_of
from zoo.domain.errors import InputError


class StartFrom(pl.Callback):
    """Loads `weights` (a file, a folder, or a name on the hub) into the model before the first step, and then never
    again: what a run has learned is in its own checkpoints, which are whole without them. A model's shape is said by
    its config, so that a run folder can be opened where the weights are not.

    Each family of weights is a subclass.
    """

    files = ("weights",)

    def __init__(self, weights: str):
        self.weights = weights

    @classmethod
    def problems(cls, weights: str) -> list[str]:
        problem = problem_of(weights)
        return [] if problem is None else [f"weights={problem}"]

    @abstractmethod
    def load(self, module: pl.LightningModule, checkpoint: Checkpoint) -> None:
        """Raises WeightsError or InputError, in one sentence, if they do not fit."""

    def unchanged(self, module: pl.LightningModule) -> Iterable[nn.Module]:
        """The parts of the model that do not learn, in a resumed run neither."""
        return ()

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        if stage != "fit":
            return
        if trainer.ckpt_path is None:
            try:
                self.load(pl_module, Checkpoint.open(self.weights))
            except WeightsError as error:
                raise InputError(str(error)) from error
        for part in self.unchanged(pl_module):
            part.requires_grad_(False)
