"""The propagation model: shocks to agents -> tokens -> the shared backbone along the links -> a response of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torchmetrics import MeanAbsoluteError, MetricCollection, R2Score

from zoo.attention import Backbone
from zoo.domain.insight import Insight
from zoo.domain.module import DomainModule, Outcome
from zoo.domain.optim import AdamW
from zoo.graphs.baselines import simple_answers
from zoo.graphs.batch import Batch
from zoo.graphs.encoder import GraphEncoder
from zoo.graphs.insight import explain
from zoo.graphs.relation_heads import Binding
from zoo.graphs.sources import input_loader


class PropagationModel(DomainModule):
    """What shocks to some agents do to all, over as many hops as the backbone has layers.

    features: names of the numbers that an agent comes with. relations: names of the kinds of link; a person's own
    graph must use these. binding: of heads to relations (`zoo.graphs.relation_heads`). purity: weight of a loss that
    asks each head to keep to one relation (binding=biased).
    """

    def __init__(
        self,
        backbone: Backbone,
        optimizer: AdamW,
        features: Sequence[str],
        relations: Sequence[str],
        binding: Binding = "biased",
        purity: float = 0.0,
    ):
        super().__init__(backbone, optimizer)
        self.features, self.relations, self.purity = tuple(features), tuple(relations), purity
        self.encoder = GraphEncoder(backbone, len(self.features), len(self.relations), binding)
        self.head = nn.Linear(backbone.dim, 1)

    @classmethod
    def problems(
        cls, features: Sequence[str], relations: Sequence[str], binding: str = "biased", purity: float = 0.0, **rest
    ) -> list[str]:
        wrong = [
            f"{n}=[] must name at least one" for n, x in (("features", features), ("relations", relations)) if not x
        ]
        wrong += [] if purity >= 0 else [f"purity={purity} must be at least 0"]
        if purity > 0 and binding != "biased":
            wrong.append(f"purity={purity} asks learned gates to be pure: take it out, or give binding=biased")
        backbone = rest.get("backbone")
        if isinstance(backbone, Mapping) and backbone.get("num_prefix"):
            wrong.append("backbone.num_prefix must be 0: prefix tokens would join all agents over one hop")
        return wrong

    # ---- the model

    def forward(self, batch: Batch) -> Float[Tensor, "S n"]:
        return self.head(self.encoder(self.backbone, batch.features, batch.links)).squeeze(-1)

    def outcome(self, batch: Batch) -> Outcome:
        """The examples are the agents in each scenario whose response is known."""
        prediction, known = self(batch), ~batch.response.isnan()
        loss = F.mse_loss(prediction[known], batch.response[known])
        if self.training and self.purity:
            loss = loss + self.purity * self.encoder.relation_heads.impurity
        return Outcome(loss, prediction[known], batch.response[known])

    # ---- what the verbs ask for

    def transfer_batch_to_device(self, batch: Batch, device: torch.device, dataloader_idx: int) -> Batch:
        """The tensors alone."""
        return Batch(batch.features.to(device), batch.response.to(device), batch.links.to(device), batch.graphs)

    def new_metrics(self) -> MetricCollection:
        return MetricCollection({"r2": R2Score(), "mae": MeanAbsoluteError()})

    def predictions(self, batch: Batch) -> Mapping[str, Sequence]:
        """One line for each agent in each scenario; agents are numbered, since names may repeat."""
        names = [name for graph in batch.graphs for name in graph.names]
        number = [i + 1 for graph in batch.graphs for i in range(len(graph))]
        count = len(batch.features)
        return {
            "scenario": [s + 1 for s in range(count) for _ in names],
            "number": number * count,
            "agent": names * count,
            **{name: batch.features[..., i].flatten().tolist() for i, name in enumerate(self.features)},
            "response": self(batch).flatten().tolist(),
        }

    def embeddings(self, batch: Batch) -> Float[Tensor, "B D"]:
        """A row for each line of `predictions`."""
        return self.encoder(self.backbone, batch.features, batch.links).flatten(0, 1)

    def token_names(self, batch: Batch) -> list[list[str]]:
        return [[name for graph in batch.graphs for name in graph.names] + ["outside"]] * len(batch.features)

    def open_input(self, path: Path, labelled: bool = False) -> DataLoader:
        return input_loader(path, self.features, self.relations, labelled)

    def insight(self, data: pl.LightningDataModule | DataLoader) -> Insight:
        return explain(self, data)

    def baselines(self, data: pl.LightningDataModule) -> Mapping[str, Tensor]:
        return simple_answers(data.part("train"), data.test_dataloader(), len(self.backbone.blocks))
