"""A loss about heads, added to the training loss by a callback: no domain's model knows of it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from zoo.attention.observe import attentions


class HeadPenalty(pl.Callback):
    """Adds `weight` times the mean of its terms (one a layer, of the batch at hand) to the training loss, and logs that
    mean as train/NAME."""

    name: str

    def __init__(self, weight: float):
        self.weight = weight
        self._seen: dict[str, Tensor] = {}
        self._hooks: list[Any] = []

    @abstractmethod
    def terms(self, module: pl.LightningModule) -> Iterable[Tensor]:
        """What is to be small, [] each."""

    def watch(self, attend: nn.Module, given: tuple, out: Tensor) -> Tensor | None:
        """What to keep for `terms` of one pass over an attention, called with q, k, v, mask and bias."""
        return None

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if type(self).watch is HeadPenalty.watch:
            return
        for name, attend in attentions(pl_module).items():
            self._hooks.append(attend.register_forward_hook(lambda m, i, out, name=name: self._keep(name, m, i, out)))

    def _keep(self, name: str, attend: nn.Module, given: tuple, out: Tensor) -> None:
        if out.requires_grad and (kept := self.watch(attend, given, out)) is not None:
            self._seen[name] = kept

    def on_before_backward(self, trainer: pl.Trainer, pl_module: pl.LightningModule, loss: Tensor) -> None:
        terms = list(self.terms(pl_module))
        self._seen = {}
        if not terms:
            return
        penalty = torch.stack(terms).mean()
        pl_module.log(f"train/{self.name}", penalty.detach(), on_step=True, on_epoch=False)
        scaler = getattr(trainer.precision_plugin, "scaler", None)  # Lightning has scaled and divided the loss already
        scale = (1.0 if scaler is None else scaler.get_scale()) / trainer.accumulate_grad_batches
        loss.add_(self.weight * scale * penalty.to(loss))

    def on_after_backward(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._seen = {}  # a block that was computed again has filled it again

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._release()

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        self._release()

    def _release(self) -> None:
        for hook in self._hooks:
            hook.remove()
        self._hooks, self._seen = [], {}
