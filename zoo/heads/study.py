"""Everything that can be said of the heads of one trained model, on one set of labelled batches."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform
from torch import nn

from zoo.attention import GateGradient, OutputNorm, observe
from zoo.heads.features import HeadKernels, TopKeys
from zoo.heads.importance import ablation, gate_importance
from zoo.heads.page import Example
from zoo.heads.profile import Profile

REDUNDANT = 0.8  # mean CKA within a cluster of heads
KEYS = 64  # kept of each query in the examples


@dataclass(frozen=True, eq=False)
class HeadStudy:
    """table: one row for each head. cka: "layer head" squared; layer_cka likewise. examples: some inputs' attention."""

    table: pd.DataFrame
    cka: pd.DataFrame
    layer_cka: pd.DataFrame
    examples: tuple[Example, ...]


def study(
    model: nn.Module,
    batches: Sequence[Any],
    loss_of: Callable[[Any], tuple[torch.Tensor, int]],
    token_names: Callable[[Any], Sequence[Sequence[str]] | None],
    num_examples: int = 4,
    progress: Callable[[Iterable], Iterable] = iter,
) -> HeadStudy:
    """loss_of: mean loss and size of a batch, differentiable. token_names: of each sequence of a batch, all of its
    present tokens; None if they have none, and are numbered. The model must be in eval mode."""
    profile, norm, kernels = Profile(), _MeanNorm(), HeadKernels()
    top, gates, sizes = TopKeys(KEYS, num_examples), [], []
    for batch in progress(batches):
        gates.append(GateGradient())
        with observe(model, profile, norm, kernels, top, gates[-1]):
            loss, size = loss_of(batch)
            loss.backward()
        model.zero_grad(set_to_none=True)
        sizes.append(size)
        kernels.close(size)
        top.close()
    table = profile.table()
    keys = list(zip(table.layer, table["head"], strict=True))
    importance = gate_importance(gates, sizes)
    table["output norm"] = [norm.mean(layer)[head] for layer, head in keys]
    table["gate gradient"] = [importance[key] for key in keys]
    table = table.merge(ablation(model, progress(keys), batches, loss_of), on=["layer", "head"])
    names = [f"{layer} {head}" for layer, head in kernels.names]
    cka = kernels.heads.result().numpy()
    table["cluster"] = (
        table.layer.str.cat(table["head"].astype(str), sep=" ")
        .map(dict(zip(names, clusters(cka), strict=True)))
        .astype("Int64")
    )
    return HeadStudy(
        table,
        pd.DataFrame(cka, names, names),
        pd.DataFrame(kernels.layers.result().numpy(), kernels.layer_names, kernels.layer_names),
        _examples(top, token_names(batches[0])),
    )


def clusters(cka: np.ndarray, redundant: float = REDUNDANT) -> list[int]:
    """A number for each head; heads with one number say the same (average linkage, mean CKA at least `redundant`).

    A head that cannot be compared (NaN) is alone.
    """
    if len(cka) < 2:
        return list(range(1, len(cka) + 1))
    distance = 1 - np.clip(np.nan_to_num(cka, nan=0.0), 0, 1)
    np.fill_diagonal(distance, 0)
    return fcluster(linkage(squareform(distance, checks=False), "average"), 1 - redundant, "distance").tolist()


class _MeanNorm(OutputNorm):
    """Mean length of each head's output at the present tokens, over all passes."""

    def mean(self, layer: str) -> list[float]:
        norms = torch.cat([part.transpose(0, 1).flatten(1) for part in self._passes[layer]], dim=1)  # [H, tokens]
        return (norms.sum(1) / (norms[0] > 0).sum().clamp_min(1)).tolist()


def _examples(top: TopKeys, names: Sequence[Sequence[str]] | None) -> tuple[Example, ...]:
    if not top.weights:
        return ()
    if names is None:
        names = [[str(i) for i in range(w.shape[1])] for w in next(iter(top.weights.values()))]
    weights = torch.stack(list(top.weights.values()), 1)  # [B, layers, H, n, k]
    keys = torch.stack(list(top.keys.values()), 1)
    examples = []
    for i in range(min(len(weights), len(names))):
        n = len(names[i])
        kept = (weights[i, :, :, :n] * 255).round().to(torch.uint8).cpu().numpy()
        examples.append(Example(f"{i + 1}", tuple(names[i]), keys[i, :, :, :n].cpu().numpy().astype(np.uint16), kept))
    return tuple(examples)
