"""Losses that ask the heads of a layer to differ, and the callback that adds one of them in training.

Axes: H heads, d head width, D model width, B batch, n tokens.
"""

from __future__ import annotations

from typing import Any, Literal

import pytorch_lightning as pl
import torch
from jaxtyping import Float
from torch import Tensor, nn

from zoo.attention import SelfAttention
from zoo.attention.observe import attentions


def subspace_overlap(attention: SelfAttention) -> Float[Tensor, ""]:
    """Mean over pairs of heads of |Q_i^T Q_j|^2 / d, with Q an orthonormal basis of what a head's values read.

    0 if no two heads read the same directions, 1 if all read the same; chance gives d / D.
    """
    heads, d = attention.num_heads, attention.head_dim
    values = attention.qkv.weight[2 * heads * d :].view(heads, d, -1)
    basis = torch.linalg.qr(values.float().mT).Q  # [H, D, d]
    overlap = torch.einsum("hdi,gdj->hgij", basis, basis).square().sum((-2, -1)) / d
    return (overlap.sum() - overlap.diagonal().sum()) / (heads * (heads - 1))


def output_agreement(out: Float[Tensor, "B H n d"]) -> Float[Tensor, ""]:
    """Mean squared cosine between two heads' outputs at a token (Li et al. 2018, section 3.2, there not squared)."""
    heads = out.shape[1]
    unit = nn.functional.normalize(out.float(), dim=-1, eps=1e-6)
    cosine = torch.einsum("bhnd,bgnd->hgbn", unit, unit).square().mean((-2, -1))
    return (cosine.sum() - cosine.diagonal().sum()) / (heads * (heads - 1))


class DiverseHeads(pl.Callback):
    """Adds `weight` times the mean over layers of a loss above to the training loss, and logs it as train/diversity.

    loss: "subspaces" (`subspace_overlap`, a function of the weights) or "outputs" (`output_agreement`).
    """

    def __init__(self, weight: float, loss: Literal["subspaces", "outputs"] = "subspaces"):
        if loss not in ("subspaces", "outputs"):
            raise ValueError(f"loss: expected 'subspaces' or 'outputs', got {loss!r}")
        self.weight, self.loss = weight, loss
        self._outputs: dict[str, Tensor] = {}
        self._hooks: list[Any] = []

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self.loss == "outputs":
            for name, attend in attentions(pl_module).items():
                self._hooks.append(attend.register_forward_hook(lambda m, i, out, name=name: self._keep(name, out)))

    def _keep(self, name: str, out: Tensor) -> None:
        if out.requires_grad and out.shape[1] > 1:
            self._outputs[name] = out

    def on_before_backward(self, trainer: pl.Trainer, pl_module: pl.LightningModule, loss: Tensor) -> None:
        if self.loss == "outputs":
            terms = [output_agreement(out) for out in self._outputs.values()]
            self._outputs = {}
        else:
            layers = (m for m in pl_module.modules() if isinstance(m, SelfAttention) and m.num_heads > 1)
            terms = [subspace_overlap(layer) for layer in layers]
        if terms:
            penalty = torch.stack(terms).mean()
            pl_module.log("train/diversity", penalty.detach(), on_step=True, on_epoch=False)
            scaler = getattr(
                trainer.precision_plugin, "scaler", None
            )  # Lightning has scaled and divided the loss already
            scale = (1.0 if scaler is None else scaler.get_scale()) / trainer.accumulate_grad_batches
            loss.add_(self.weight * scale * penalty.to(loss))

    def on_after_backward(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._outputs = {}  # a block that was computed again has filled it again

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._release()

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        self._release()

    def _release(self) -> None:
        for hook in self._hooks:
            hook.remove()
        self._hooks, self._outputs = [], {}
