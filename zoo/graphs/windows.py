"""What is known on the evening before: the last days of every signal, the same weekday of past weeks, the calendar.

A forecast of day t at horizon h looks at days up to t - h, so h = 1 is one step ahead. Everything is divided by the
agent's mean sales over the window, its level, so that one set of weights serves large and small series.

Axes: S days to forecast, n agents, F inputs, D days of the window.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.utils.data import Dataset

from zoo.graphs.links import Links
from zoo.graphs.series import DailySeries

WEEKS = 4
MOST = 12.0  # levels; beyond, inputs are cut off
LEAST_LEVEL = 1.0  # units


class Windows(NamedTuple):
    """inputs: in levels. level: units. usual: mean of the same weekday of four weeks, in levels. target: units, NaN
    where it is not known. day: which one is forecast, counted from the first of the series."""

    inputs: Float[Tensor, "S n F"]
    level: Float[Tensor, "S n"]
    usual: Float[Tensor, "S n"]
    target: Float[Tensor, "S n"]
    day: tuple[int, ...]
    links: Links
    series: DailySeries


def input_width(num_signals: int, days: int) -> int:
    """F."""
    return num_signals * days + WEEKS + 2 + 7 + 1


def same_weekday(sales: Float[np.ndarray, "T n"], day: int, horizon: int) -> Float[np.ndarray, "weeks n"]:
    """Of the last weeks that are known, the latest first."""
    first = -(-horizon // 7)
    return np.stack([sales[day - 7 * k] for k in range(first, first + WEEKS)])


class WindowSet(Dataset):
    """One item is one day to forecast. days: their numbers; one behind the end has no target."""

    def __init__(self, series: DailySeries, days: Sequence[int], window: int = 28, horizon: int = 1):
        self.series, self.days, self.window, self.horizon = series, tuple(days), window, horizon
        self.links = Links.of([series.graph])  # one object for all batches: its layout is kept

    @staticmethod
    def first_day(window: int, horizon: int) -> int:
        return max(window + horizon - 1, 7 * (-(-horizon // 7) + WEEKS - 1))

    def __len__(self) -> int:
        return len(self.days)

    def __getitem__(self, i: int) -> tuple:
        day, values = self.days[i], self.series.values
        end = day - self.horizon + 1
        window = values[end - self.window : end].astype(np.float32)  # [D, n, C]
        level = np.maximum(window[..., 0].mean(0), LEAST_LEVEL)
        weeks = same_weekday(values[..., 0], day, self.horizon).astype(np.float32) / level
        calendar = np.zeros((len(level), 7), dtype=np.float32)
        calendar[:, (self.series.dates[0].dayofweek + day) % 7] = 1
        recent = np.log1p(np.minimum(window / level[:, None], MOST)).transpose(1, 2, 0).reshape(len(level), -1)
        usual = np.minimum(weeks, MOST)
        inputs = np.concatenate(
            [
                recent,
                usual.T,
                usual.mean(0)[:, None],
                np.median(usual, 0)[:, None],
                calendar,
                np.log(level)[:, None] / 8,
            ],
            1,
        )
        known = day < len(values)
        target = values[day, :, 0].astype(np.float32) if known else np.full(len(level), np.nan, dtype=np.float32)
        return inputs, level, usual.mean(0), target, day, self

    @staticmethod
    def collate(items: Sequence[tuple]) -> Windows:
        arrays = [torch.from_numpy(np.stack(part)).float() for part in list(zip(*items, strict=True))[:4]]
        of = items[0][5]
        return Windows(*arrays, tuple(item[4] for item in items), of.links, of.series)
