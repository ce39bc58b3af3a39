"""How much each head matters to the loss: by the gradient of a gate on it, and by switching it off.

Axes: H heads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pandas as pd
import torch
from torch import nn

from zoo.attention import GateGradient
from zoo.attention.gates import gated


def gate_importance(gates: Sequence[GateGradient], batch_sizes: Sequence[int]) -> dict[tuple[str, int], float]:
    """E |dL/dg| over examples (Michel et al. 2019, eq. 2), one observer for each batch; L is a mean over its batch.

    An example that is read several times (both strands) counts once, with the sum of its readings.
    """
    found = [
        {layer: given.unflatten(0, (-1, size)).sum(0).abs() * size for layer, given in gate.result().items()}
        for gate, size in zip(gates, batch_sizes, strict=True)
    ]
    means = {layer: torch.cat([per_batch[layer] for per_batch in found]).mean(0) for layer in found[0]}
    return {(layer, head): float(value) for layer, mean in means.items() for head, value in enumerate(mean)}


@torch.no_grad()
def ablation(
    model: nn.Module,
    heads: Iterable[tuple[str, int]],
    batches: Sequence[Any],
    loss_of: Callable[[Any], tuple[torch.Tensor, int]],
) -> pd.DataFrame:
    """By how much the mean loss rises when one head is switched off, with its standard error over the batches.

    loss_of: a batch's mean loss and size. One pass over the batches for each head.
    """
    whole = _losses(batches, loss_of)
    sizes = whole[:, 1]
    rows = []
    for layer, head in heads:
        gate = torch.ones(model.get_submodule(layer).num_heads)
        gate[head] = 0
        with gated(model, {layer: gate}):
            rise = (_losses(batches, loss_of) - whole)[:, 0]
        mean = float((rise * sizes).sum() / sizes.sum())
        spread = float(rise.std() / len(rise) ** 0.5) if len(rise) > 1 else float("nan")
        rows.append({"layer": layer, "head": head, "ablation": mean, "ablation se": spread})
    return pd.DataFrame(rows)


def _losses(batches: Sequence[Any], loss_of: Callable[[Any], tuple[torch.Tensor, int]]) -> torch.Tensor:
    return torch.tensor([(float(loss), size) for loss, size in map(loss_of, batches)])
