"""The Lightning module that every domain subclasses, and through which alone the verbs reach a domain."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.utils.data import DataLoader
from torchmetrics import MetricCollection

from zoo.attention import Backbone
from zoo.domain.errors import InputError
from zoo.domain.insight import Insight
from zoo.domain.optim import AdamW


@dataclass(frozen=True)
class Outcome:
    """What one batch gave: the loss to minimise, and the prediction and target that the metrics compare."""

    loss: Tensor
    prediction: Tensor
    target: Tensor


class DomainModule(pl.LightningModule):
    """Optimiser, schedule, logging and exact resuming, once for all domains.

    A domain implements `outcome`, `new_metrics` and `predictions` to be trained, tested and to predict;
    `open_input` (and `open_referring`) to read a person's own files; `insight` to say what its attention learned;
    `baselines` to stand its score beside simple ones. Logged names are `stage/metric`.
    """

    def __init__(self, backbone: Backbone, optimizer: AdamW):
        super().__init__()
        self.backbone, self.optimizer = backbone, optimizer
        self._random_state: dict[str, Any] | None = None
        self.new_stages()

    def new_stages(self) -> None:
        """Fresh metrics for each stage. A domain whose metrics depend on the data (the number of classes, say) calls it
        again once it knows them."""
        self.metrics = torch.nn.ModuleDict(
            {stage: self.new_metrics().clone(prefix=f"{stage}/") for stage in ("valid", "test")}
        )

    # ---- what a domain says

    @abstractmethod
    def outcome(self, batch: Any) -> Outcome:
        """Loss, prediction and target of a labelled batch."""

    @abstractmethod
    def new_metrics(self) -> MetricCollection:
        """The field's metrics, named without a stage."""

    @abstractmethod
    def predictions(self, batch: Any) -> Mapping[str, Sequence]:
        """Columns of the prediction table for a batch, one entry per example: names first, then what is predicted."""

    @abstractmethod
    def embeddings(self, batch: Any) -> Tensor:
        """What the head reads: [B, D]."""

    @abstractmethod
    def open_input(self, path: Path, labelled: bool = False) -> DataLoader:
        """A person's own file. Raises InputError, in one sentence, if it cannot be used."""

    reference_is_truth = False  # whether what `open_referring` opens can be scored

    def open_referring(self, path: Path, reference: Path, data: pl.LightningDataModule) -> DataLoader:
        """A person's own file that speaks of another: places in `reference`, changes of it. data: what the model was
        trained on. Raises InputError."""
        raise InputError(f"{type(self).__name__} reads no files that refer to another: leave --reference out")

    @abstractmethod
    def insight(self, data: pl.LightningDataModule | DataLoader) -> Insight:
        """What the attention says: about the data it was trained on, or about a person's own input."""

    def token_names(self, batch: Any) -> Sequence[Sequence[str]] | None:
        """What each present token of each example stands for, class and register tokens included; None: numbers."""
        return None

    def baselines(self, data: pl.LightningDataModule) -> Mapping[str, Tensor]:
        """Predictions of simple models for the test part, fitted on the training part."""
        return {}

    def test_parts(self, data: pl.LightningDataModule) -> Mapping[str, Tensor]:
        """Parts of the test set that deserve a score of their own: name -> boolean over the test examples."""
        return {}

    # ---- what every domain shares

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        outcome = self.outcome(batch)
        self.log("train/loss", outcome.loss, on_step=True, on_epoch=False, prog_bar=True)
        return outcome.loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self.score("valid", self.outcome(batch))

    def test_step(self, batch: Any, batch_idx: int) -> None:
        self.score("test", self.outcome(batch))

    def score(self, stage: Literal["valid", "test"], outcome: Outcome) -> None:
        """Adds an outcome to the loss and the metrics of the stage."""
        size = outcome.target.shape[0]
        self.metrics[stage].update(outcome.prediction, outcome.target)
        self.log(f"{stage}/loss", outcome.loss, on_step=False, on_epoch=True, batch_size=size, sync_dist=True)
        self.log_dict(self.metrics[stage], on_step=False, on_epoch=True, prog_bar=stage == "valid", batch_size=size)

    def configure_optimizers(self):
        optimizer, schedule = self.optimizer.build(self, int(self.trainer.estimated_stepping_batches))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    # ---- exact resuming: dropout must draw the same numbers as in the unbroken run

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        state = {"cpu": torch.get_rng_state()}
        if torch.cuda.is_available():
            state["cuda"] = torch.cuda.get_rng_state_all()
        checkpoint["random_state"] = state

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self._random_state = checkpoint.get("random_state")

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        if self._random_state is None:
            return
        torch.set_rng_state(self._random_state["cpu"])
        if torch.cuda.is_available() and len(self._random_state.get("cuda", ())) == torch.cuda.device_count():
            torch.cuda.set_rng_state_all(self._random_state["cuda"])
        self._random_state = None
