"""Models side by side on the same examples, with what chance alone would change.

Percentile bootstrap: draw the N examples again with replacement, score every model on the *same* draw, repeat;
the 2.5 % and 97.5 % quantiles are a 95 % confidence interval (Efron & Tibshirani, 1993, chapter 13). Because the
draws are shared, the difference of two models has an interval of its own, often far narrower than theirs: easy
and hard examples come and go for both.

What it does not cover: another training seed, another split, examples that depend on each other.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torchmetrics import MetricCollection

LOW, HIGH = 0.025, 0.975
MAX_REDRAWS = 100  # of one draw; beyond it, one class is so rare that an interval would mean nothing


def scoreboard(
    predictions: Mapping[str, Tensor],  # model -> (N, ...), as the metrics take them
    target: Tensor,  # (N, ...)
    metrics: MetricCollection,
    reference: str | None = None,
    seed: int = 0,
    resamples: int = 1000,
) -> pd.DataFrame:
    """One row per model; per metric `m` the columns `m`, `m_low`, `m_high`.

    With a `reference` (a row's name) also `m_diff`, `m_diff_low`, `m_diff_high`: row minus reference, paired;
    the reference's own are empty. The values are the metrics' own on all N examples.
    """
    _check(predictions, target, reference)
    metrics = copy.deepcopy(metrics)  # the caller's may be in the middle of an epoch
    models = list(predictions)
    outputs = [torch.as_tensor(predictions[model]).detach().cpu() for model in models]
    target = torch.as_tensor(target).detach().cpu()

    def scores(draw: Tensor | slice) -> np.ndarray:  # (models, metrics)
        return np.array([_score(metrics, output[draw], target[draw]) for output in outputs])

    value = scores(slice(None))
    names = list(metrics.compute())  # in the order of `_score`
    draws = np.stack([scores(draw) for draw in _draws(target, resamples, seed)])  # (resamples, models, metrics)
    low, high = np.quantile(draws, [LOW, HIGH], axis=0)
    columns: dict[str, object] = {"model": models}
    for j, name in enumerate(names):
        columns |= {name: value[:, j], f"{name}_low": low[:, j], f"{name}_high": high[:, j]}
    if reference is not None:
        r = models.index(reference)
        difference = value - value[r]
        low, high = np.quantile(draws - draws[:, r : r + 1], [LOW, HIGH], axis=0)
        for part in (difference, low, high):
            part[r] = np.nan
        for j, name in enumerate(names):
            columns |= {
                f"{name}_diff": difference[:, j],
                f"{name}_diff_low": low[:, j],
                f"{name}_diff_high": high[:, j],
            }
    return pd.DataFrame(columns)


def _check(predictions: Mapping[str, Tensor], target: Tensor, reference: str | None) -> None:
    if not predictions:
        raise ValueError("a scoreboard needs the predictions of at least one model")
    for model, output in predictions.items():
        if len(output) != len(target):
            raise ValueError(f"{model!r} predicts {len(output)} examples, the target has {len(target)}")
    if reference is not None and reference not in predictions:
        raise ValueError(f"the reference {reference!r} is not among the models: {', '.join(predictions)}")


def _score(metrics: MetricCollection, output: Tensor, target: Tensor) -> list[float]:
    metrics.reset()
    metrics.update(output, target)
    return [float(value) for value in metrics.compute().values()]


def _draws(target: Tensor, resamples: int, seed: int):
    """Index vectors (N,); a draw that has lost all classes but one is drawn again: most metrics need two."""
    generator = torch.Generator().manual_seed(seed)
    classes = not target.is_floating_point() and target.ndim == 1 and len(target.unique()) > 1
    for _ in range(resamples):
        for _ in range(MAX_REDRAWS):
            draw = torch.randint(len(target), (len(target),), generator=generator)
            if not classes or (target[draw] != target[draw[0]]).any():
                break
        else:
            raise ValueError(
                f"{MAX_REDRAWS} draws in a row held one class only: "
                f"{len(target)} examples are too few of some class for a confidence interval"
            )
        yield draw
