"""Series for training a forecaster: fitted on the past, chosen on what follows, tested on the last days."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

import numpy as np

from zoo.domain.cards import load_card
from zoo.domain.data import DomainData
from zoo.domain.download import fetch, not_here
from zoo.domain.errors import InputError
from zoo.graphs.graph import SupplyGraph, build_graph
from zoo.graphs.planted import shuffled
from zoo.graphs.series import read_supplygraph
from zoo.graphs.windows import WindowSet

Joined = Literal["given", "shuffled", "none", "all"]


class ProductSeries(DomainData):
    """SupplyGraph's 41 products.

    test_from: the first day of the test, which has `test_days`. valid_days: before it, to choose on. refit: train on
    these too (the validation score then means nothing: fix the number of epochs).
    joined: by the links given, by those of other products (the control), not at all, or all with all.
    first: train and validate on so many days alone (debug=overfit).
    """

    collate = staticmethod(WindowSet.collate)

    def __init__(
        self,
        card: str = "supplygraph",
        window: int = 28,
        horizon: int = 1,
        test_from: int = 187,
        test_days: int = 34,
        valid_days: int = 34,
        refit: bool = False,
        joined: Joined = "given",
        batch_size: int = 16,
        num_workers: int = 0,
        seed: int = 0,
        first: int | None = None,
    ):
        super().__init__(batch_size, num_workers, seed)
        self.first = first
        self.card, self.window, self.horizon, self.refit, self.joined = card, window, horizon, refit, joined
        self.test_from, self.test_days, self.valid_days = test_from, test_days, valid_days

    @classmethod
    def problems(cls, card: str = "supplygraph", window: int = 28, horizon: int = 1, test_from: int = 187,
                 test_days: int = 34, valid_days: int = 34, **arguments: Any) -> list[str]:  # fmt: skip
        wrong = super().problems(**{k: v for k, v in arguments.items() if k in ("batch_size", "num_workers")})
        counts = {"horizon": horizon, "test_days": test_days, "valid_days": valid_days}
        wrong += [f"{name}={count} must be at least 1" for name, count in counts.items() if count < 1]
        if window < 28:
            wrong.append(f"window={window} must be at least 28 days, which the baselines look at")
        if not wrong and test_from - valid_days <= WindowSet.first_day(window, horizon):
            wrong.append(
                f"test_from={test_from} leaves no day to fit on, after a window of {window} and {valid_days} to choose"
            )
        return wrong + not_here(card)

    def parts(self) -> Mapping[str, WindowSet]:
        series = read_supplygraph(fetch(load_card(self.card)))
        end = min(self.test_from + self.test_days, len(series.dates))
        if self.test_from >= end:
            raise InputError(f"test_from={self.test_from}: the series end on day {len(series.dates) - 1}")
        series = replace(series, graph=joined(series.graph, self.joined, self.seed))
        choose = self.test_from - self.valid_days
        first = WindowSet.first_day(self.window, self.horizon)
        days = {
            "train": range(first, self.test_from if self.refit else choose),
            "valid": range(choose, self.test_from),
            "test": range(self.test_from, end),
        }
        if self.first is not None:
            days["train"] = days["valid"] = days["train"][: self.first]
        return {part: WindowSet(series, found, self.window, self.horizon) for part, found in days.items()}

    def fit_days(self) -> WindowSet:
        """Every day before the test: what baselines that choose nothing are fitted on."""
        test: WindowSet = self.part("test")
        first = WindowSet.first_day(self.window, self.horizon)
        return WindowSet(test.series, range(first, self.test_from), self.window, self.horizon)


def joined(graph: SupplyGraph, how: Joined, seed: int = 0) -> SupplyGraph:
    """See `ProductSeries`. All keep the relations, so that one model fits all of them."""
    if how == "given":
        return graph
    if how == "shuffled":
        return shuffled(graph, seed)
    if how == "none":
        return graph.without(np.arange(len(graph.supplier)))
    buyer, supplier = np.nonzero(~np.eye(len(graph), dtype=bool))
    kinds = len(graph.relations)
    weight = np.full(len(buyer) * kinds, 1 / kinds / (len(graph) - 1))
    return build_graph(
        graph.names, np.tile(supplier, kinds), np.tile(buyer, kinds), np.repeat(np.arange(kinds), len(buyer)), weight,
        graph.relations,
    )  # fmt: skip
