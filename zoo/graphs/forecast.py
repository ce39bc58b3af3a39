"""The forecaster: windows of daily signals -> tokens -> the shared backbone along the links -> quantiles of each
agent's next sales, never below 0."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torchmetrics import MeanAbsoluteError, MeanSquaredError, MetricCollection
from torchmetrics.regression import SymmetricMeanAbsolutePercentageError, WeightedMeanAbsolutePercentageError

from zoo.attention import Backbone
from zoo.domain.errors import InputError
from zoo.domain.insight import Insight
from zoo.domain.module import DomainModule, Outcome
from zoo.domain.optim import AdamW
from zoo.graphs.encoder import GraphEncoder, SeriesEmbedding
from zoo.graphs.forecast_baselines import simple_forecasts
from zoo.graphs.forecast_insight import explain
from zoo.graphs.relation_heads import Binding
from zoo.graphs.series import read_own_series
from zoo.graphs.windows import SIMPLE, Windows, WindowSet, input_width

QUANTILES = (0.1, 0.5, 0.9)
FIRST = "4-week weekday mean"  # counts more than the others before anything is learned
LEAST = 0.05  # levels; added to the mixture, so that nothing can become something
MOST = 4.0  # of the logarithm of what the mixture is multiplied with


class Forecaster(DomainModule):
    """Sales of every agent on one day, `horizon` days after the last known one.

    The head mixes what simple forecasts say (Bates & Granger 1969), by weights that it learns for each agent and day,
    and learns what to multiply the mixture with. Its loss is the pinball loss in units, so that the median minimises
    the mean absolute error.

    signals: names, the first is forecast. relations: kinds of link. window: days that are looked at. binding: of heads
    to relations; "unseen" leaves all attention between agents, where learned gates begin with half of it outside.
    dropout: of inputs.
    """

    def __init__(
        self,
        backbone: Backbone,
        optimizer: AdamW,
        signals: Sequence[str],
        relations: Sequence[str],
        window: int = 28,
        horizon: int = 1,
        binding: Binding = "unseen",
        dropout: float = 0.1,
    ):
        super().__init__(backbone, optimizer)
        self.signals, self.relations, self.window, self.horizon = tuple(signals), tuple(relations), window, horizon
        embedding = SeriesEmbedding(input_width(len(self.signals), window), backbone.dim)
        self.encoder = GraphEncoder(backbone, embedding, len(self.relations), binding)
        self.drop = nn.Dropout(dropout)
        self.head = nn.Linear(backbone.dim, len(QUANTILES) + len(SIMPLE))
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)
        with torch.no_grad():
            self.head.bias[len(QUANTILES) + SIMPLE.index(FIRST)] = 1.0
        self.register_buffer("quantiles", torch.tensor(QUANTILES), persistent=False)

    @classmethod
    def problems(cls, window: int = 28, horizon: int = 1, dropout: float = 0.1, **rest: object) -> list[str]:
        wrong = [] if window >= 7 else [f"window={window} must be at least 7 days"]
        wrong += [] if horizon >= 1 else [f"horizon={horizon} must be at least 1 day"]
        return wrong + ([] if 0 <= dropout < 1 else [f"dropout={dropout} is a share, 0 to 1"])

    # ---- the model

    def forward(self, batch: Windows) -> Float[Tensor, "S n Q"]:
        """Quantiles in units, in order: the median, and what lies below and above it."""
        tokens = self.encoder(self.backbone, self.drop(batch.inputs), batch.links)
        low, middle, high = self.head(tokens)[..., : len(QUANTILES)].unbind(-1)
        mixed = (self._weights(tokens) * batch.simple).sum(-1)
        median = (mixed + LEAST) * middle.clamp(-MOST, MOST).exp()
        spread = 0.5 * (median + LEAST)
        lower = (median - spread * F.softplus(low)).clamp_min(0)
        return torch.stack([lower, median, median + spread * F.softplus(high)], -1) * batch.level[..., None]

    def _weights(self, tokens: Float[Tensor, "S n D"]) -> Float[Tensor, "S n K"]:
        return self.head(tokens)[..., len(QUANTILES) :].softmax(-1)

    def mixture(self, batch: Windows) -> Float[Tensor, "S n K"]:
        """How much each simple forecast counts."""
        return self._weights(self.encoder(self.backbone, batch.inputs, batch.links))

    def outcome(self, batch: Windows) -> Outcome:
        """The examples are days; each is scored over all agents."""
        quantiles = self(batch)
        miss = batch.target[..., None] - quantiles
        pinball = torch.maximum(self.quantiles * miss, (self.quantiles - 1) * miss)
        known = ~batch.target.isnan()
        loss = pinball[known].sum() / batch.level[known].sum()
        return Outcome(loss, quantiles[..., 1], batch.target)

    # ---- what the verbs ask for

    def transfer_batch_to_device(self, batch: Windows, device: torch.device, dataloader_idx: int) -> Windows:
        moved = (x.to(device) for x in batch[:4])
        return Windows(*moved, batch.day, batch.links.to(device), batch.series)

    def new_metrics(self) -> MetricCollection:
        return MetricCollection(
            {
                "mae": MeanAbsoluteError(),
                "rmse": MeanSquaredError(squared=False),
                "wape": WeightedMeanAbsolutePercentageError(),
                "smape": SymmetricMeanAbsolutePercentageError(),
            },
            compute_groups=False,
        )

    def predictions(self, batch: Windows) -> Mapping[str, Sequence]:
        """One line for each agent and day; agents are numbered, since names may repeat."""
        quantiles = self(batch)
        names = batch.series.graph.names
        dates = [str((batch.series.dates[0] + pd.Timedelta(days=day)).date()) for day in batch.day]
        return {
            "date": [date for date in dates for _ in names],
            "number": [i + 1 for i in range(len(names))] * len(dates),
            "agent": list(names) * len(dates),
            **{f"quantile {q}": quantiles[..., i].flatten().tolist() for i, q in enumerate(QUANTILES)},
        }

    def embeddings(self, batch: Windows) -> Float[Tensor, "B D"]:
        """A row for each line of `predictions`."""
        return self.encoder(self.backbone, batch.inputs, batch.links).flatten(0, 1)

    def token_names(self, batch: Windows) -> list[list[str]]:
        return [[*batch.series.graph.names, "outside"]] * len(batch.day)

    def open_input(self, path: Path, labelled: bool = False) -> DataLoader:
        """A folder (`zoo.graphs.series`): the day `horizon` days after its last one; labelled, its last 28."""
        series = read_own_series(Path(path).expanduser(), self.signals, self.relations)
        end, first = len(series.dates), WindowSet.first_day(self.window, self.horizon)
        days = range(max(end - 28, first), end) if labelled else [end + self.horizon - 1]
        if end < (needed := first + 1 if labelled else first - self.horizon + 1):
            raise InputError(f"{path} has {end} days, and at least {needed} are needed for a window of {self.window}")
        return DataLoader(WindowSet(series, days, self.window, self.horizon), 28, collate_fn=WindowSet.collate)

    def insight(self, data: pl.LightningDataModule | DataLoader) -> Insight:
        return explain(self, data)

    def baselines(self, data: pl.LightningDataModule) -> Mapping[str, Tensor]:
        return {k: torch.from_numpy(v).float() for k, v in simple_forecasts(data.fit_days(), data.part("test")).items()}
