"""Losses that ask the heads of a layer to differ, and the callback that adds one of them in training.

Axes: H heads, d head width, D model width, B batch, n tokens.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import pytorch_lightning as pl
import torch
from jaxtyping import Float
from torch import Tensor, nn

from zoo.attention import SelfAttention
from zoo.heads.penalty import HeadPenalty


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


class DiverseHeads(HeadPenalty):
    """Adds `weight` times the mean over layers of a loss above to the training loss, and logs it as train/diversity.

    loss: "subspaces" (`subspace_overlap`, a function of the weights) or "outputs" (`output_agreement`).
    """

    name = "diversity"

    def __init__(self, weight: float, loss: Literal["subspaces", "outputs"] = "subspaces"):
        if loss not in ("subspaces", "outputs"):
            raise ValueError(f"loss: expected 'subspaces' or 'outputs', got {loss!r}")
        super().__init__(weight)
        self.loss = loss

    def watch(self, attend: nn.Module, given: tuple, out: Tensor) -> Tensor | None:
        return out if self.loss == "outputs" and out.shape[1] > 1 else None

    def terms(self, module: pl.LightningModule) -> Iterable[Tensor]:
        if self.loss == "outputs":
            return [output_agreement(out) for out in self._seen.values()]
        layers = (m for m in module.modules() if isinstance(m, SelfAttention) and m.num_heads > 1)
        return [subspace_overlap(layer) for layer in layers]
