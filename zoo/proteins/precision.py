"""How good a contact map is, as CASP counts it: the share of contacts among the best-scored pairs.

Pairs by separation along the chain: short 6-11, medium 12-23, long 24 and more. P@L, P@L/2, P@L/5 with L the number of
resolved residues. Pairs whose truth is unknown are neither scored nor ranked. Beside each stands the ceiling: a perfect
predictor reaches min(1, contacts / k).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from jaxtyping import Bool, Float
from torchmetrics import MeanMetric, MetricCollection

from zoo.domain.scoreboard import scoreboard
from zoo.proteins.contacts import Native

RANGES = {"short": (6, 11), "medium": (12, 23), "long": (24, None)}
TOPS = {"L": 1, "L/2": 2, "L/5": 5}


@dataclass(frozen=True)
class Precision:
    """precision: contacts among the best `top`, as a share. ceiling: what a perfect ranking would have."""

    range: str
    top: str
    precision: float
    ceiling: float
    contacts: int
    pairs: int


def scored_pairs(native: Native, least: int, most: int | None = None) -> Bool[np.ndarray, "L L"]:
    """Pairs i < j of known distance that are `least` to `most` residues apart."""
    apart = native.separation
    inside = (apart >= least) if most is None else (apart >= least) & (apart <= most)
    return np.triu(native.known & inside, 1)


def precisions(score: Float[np.ndarray, "L L"], native: Native) -> list[Precision]:
    """All ranges and tops of one map. NaN precision where a range has no pair; ties rank by place."""
    rows = []
    for name, (least, most) in RANGES.items():
        chosen = scored_pairs(native, least, most)
        truth = native.contact[chosen]
        hits = truth[np.argsort(-np.asarray(score)[chosen], kind="stable")]
        for top, divisor in TOPS.items():
            k = min(max(1, native.num_resolved // divisor), len(hits))
            precision = float(hits[:k].mean()) if k else float("nan")
            ceiling = min(1.0, truth.sum() / k) if k else float("nan")
            rows.append(Precision(name, top, precision, float(ceiling), int(truth.sum()), len(hits)))
    return rows


def long_range(score: Float[np.ndarray, "L L"], native: Native) -> tuple[float, float, float]:
    """P@L, P@L/2, P@L/5 of pairs at least 24 residues apart."""
    return tuple(p.precision for p in precisions(score, native) if p.range == "long")


def ceilings(native: Native) -> tuple[float, float, float]:
    """What a perfect ranking of the long-range pairs would have at L, L/2, L/5."""
    return tuple(p.ceiling for p in precisions(native.contact.astype(float), native) if p.range == "long")


class ColumnMean(MeanMetric):
    """The mean over proteins of one column of precisions already computed."""

    def __init__(self, column: int):
        super().__init__()
        self.column = column

    def update(self, prediction: Float[torch.Tensor, "proteins tops"], target: torch.Tensor) -> None:
        super().update(prediction[:, self.column])


def mean_precision() -> MetricCollection:
    """Mean long-range precision over proteins; takes a row (P@L, P@L/2, P@L/5) for each."""
    # no compute groups: a first batch with equal precisions would make torchmetrics share one state among the three
    return MetricCollection({f"P@{top}": ColumnMean(i) for i, top in enumerate(TOPS)}, compute_groups=False)


def compared(
    precision: Mapping[str, Sequence[tuple[float, float, float]]], reference: str | None = None, seed: int = 0
) -> pd.DataFrame:
    """Methods on the same proteins: means, 95 % bootstrap intervals over proteins and paired differences to
    `reference` (columns as in `zoo.domain.scoreboard`)."""
    rows = {name: torch.tensor(values, dtype=torch.float64) for name, values in precision.items()}
    count = len(next(iter(rows.values())))
    return scoreboard(rows, torch.zeros(count), mean_precision(), reference=reference, seed=seed)
