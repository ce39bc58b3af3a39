"""What is known on the evening before: the last days of every signal, its past, and the calendar.

A forecast of day t at horizon h looks at days up to t - h, so h = 1 is one step ahead. Signals are logarithms,
standardised by all days of the agent known so far: one set of weights serves large and small series. What each signal
did over all days stands beside, against its mean over the window, its level: no agent needs weights of its own, so a
model can be asked about agents that it never saw.

Axes: S days to forecast, n agents, F inputs, D days of the window, T days known, C signals, K simple forecasts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.utils.data import Dataset

from zoo.graphs.links import Links
from zoo.graphs.series import DailySeries

WEEKS = 4
SIMPLE = (
    "same weekday last week",
    "4-week weekday mean",
    "4-week weekday median",
    "7-day mean",
    "weekday mean of all days",
    "weekday median of all days",
    "4-week mean x weekday's share",
)
LEAST_LEVEL = 1.0  # units
SPREAD = 3.0  # of logarithms of daily sales, about
LEAST_SPREAD = 0.3  # of an agent's, so that one that never sells is not divided by nothing


class Windows(NamedTuple):
    """level: of the signal to forecast, in units. simple: the forecasts of `SIMPLE`, in levels. target: units, NaN
    where it is not known. day: which one is forecast, counted from the first of the series."""

    inputs: Float[Tensor, "S n F"]
    level: Float[Tensor, "S n"]
    simple: Float[Tensor, "S n K"]
    target: Float[Tensor, "S n"]
    day: tuple[int, ...]
    links: Links
    series: DailySeries


def input_width(num_signals: int, days: int) -> int:
    """F."""
    return num_signals * (days + 1 + 4) + 2 + 7


def same_weekday(sales: Float[np.ndarray, "T n"], day: int, horizon: int) -> Float[np.ndarray, "weeks n"]:
    """Of the last weeks that are known, the latest first."""
    first = -(-horizon // 7)
    return np.stack([sales[day - 7 * k] for k in range(first, first + WEEKS)])


class WindowSet(Dataset):
    """One item is one day to forecast. days: their numbers; one behind the end has no target."""

    def __init__(self, series: DailySeries, days: Sequence[int], window: int = 28, horizon: int = 1):
        self.series, self.days, self.window, self.horizon = series, tuple(days), window, horizon
        self.links = Links.of([series.graph])  # one object for all batches: its layout is kept
        self._made: dict[int, tuple] = {}  # small, and asked for again in each epoch

    @staticmethod
    def first_day(window: int, horizon: int) -> int:
        return max(window + horizon - 1, 7 * (-(-horizon // 7) + WEEKS - 1))

    def __len__(self) -> int:
        return len(self.days)

    def __getitem__(self, i: int) -> tuple:
        if i not in self._made:
            self._made[i] = self._window(i)
        return self._made[i]

    def _window(self, i: int) -> tuple:
        day, values = self.days[i], self.series.values
        end = day - self.horizon + 1
        window = values[end - self.window : end].astype(np.float32)  # [D, n, C]
        levels = np.maximum(window.mean(0), LEAST_LEVEL)
        known_logs = np.log1p(values[:end])
        usual, spread = known_logs.mean(0), known_logs.std(0) + LEAST_SPREAD
        recent = (np.log1p(window) - usual) / spread
        calendar = np.zeros((values.shape[1], 7), dtype=np.float32)
        calendar[:, (self.series.dates[0].day_of_week + day) % 7] = 1
        same = np.arange(end) % 7 == day % 7
        past = _past(values[:end], same, np.log1p(levels))
        inputs = np.concatenate(
            [recent.transpose(1, 2, 0).reshape(len(calendar), -1), (np.log1p(levels) - usual) / spread, past, calendar],
            1,
        )
        level = levels[:, 0]
        simple = _simple(values[:end, :, 0], same_weekday(values[..., 0], day, self.horizon), same) / level[:, None]
        known = day < len(values)
        target = values[day, :, 0].astype(np.float32) if known else np.full(len(level), np.nan, dtype=np.float32)
        return inputs, level, simple, target, day, self

    @staticmethod
    def collate(items: Sequence[tuple]) -> Windows:
        arrays = [torch.from_numpy(np.stack(part)).float() for part in list(zip(*items, strict=True))[:4]]
        of = items[0][5]
        return Windows(*arrays, tuple(item[4] for item in items), of.links, of.series)


def _simple(
    sales: Float[np.ndarray, "T n"], weeks: Float[np.ndarray, "weeks n"], same: Bool[np.ndarray, " T"]
) -> Float[np.ndarray, "n K"]:
    """What a planner would say, in the order of `SIMPLE`."""
    always, middle = sales[same].mean(0), np.median(sales[same], 0)
    season = sales[-7 * WEEKS :].mean(0) * always / (sales.mean(0) + LEAST_LEVEL)
    found = (weeks[0], weeks.mean(0), np.median(weeks, 0), sales[-7:].mean(0), always, middle, season)
    return np.stack(found, -1)


def _past(
    values: Float[np.ndarray, "T n C"], same: Bool[np.ndarray, " T"], log_level: Float[np.ndarray, "n C"]
) -> Float[np.ndarray, "n past"]:
    """Over all days known, and over those of the weekday (`same`): means against the level, spread, days with sales."""
    logs, sold = np.log1p(values), values[..., 0] > 0
    return np.concatenate(
        [
            (logs.mean(0) - log_level) / SPREAD,
            (np.log1p(values.mean(0)) - log_level) / SPREAD,
            logs.std(0) / SPREAD,
            (logs[same].mean(0) - log_level) / SPREAD,
            sold.mean(0)[:, None],
            sold[same].mean(0)[:, None],
        ],
        1,
    )
