"""The propagation model: shocks to agents -> tokens -> the shared backbone along the links -> a response of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor
from torch.utils.data import DataLoader
from torchmetrics import MeanAbsoluteError, MetricCollection, R2Score

from zoo.attention import Backbone
from zoo.domain.insight import Insight
from zoo.domain.module import DomainModule, Outcome
from zoo.domain.optim import AdamW
from zoo.graphs.baselines import simple_answers
from zoo.graphs.batch import Batch
from zoo.graphs.encoder import AgentEmbedding, GraphEncoder
from zoo.graphs.encodings import ENCODINGS, Encoding, Standing
from zoo.graphs.insight import explain
from zoo.graphs.readout import READOUTS, Asked, answered_by
from zoo.graphs.relation_heads import Binding
from zoo.graphs.sources import input_loader


class PropagationModel(DomainModule):
    """What shocks to some agents do to all, over as many hops as the backbone has layers.

    features: names of the numbers that an agent comes with. relations: names of the kinds of link; a person's own
    graph must use these. binding: of heads to relations (`zoo.graphs.relation_heads`). purity: weight of a loss that
    asks each head to keep to one relation (binding=biased). encodings: what an agent is told of its place
    (`zoo.graphs.encodings`). asked: of what the answer is (`zoo.graphs.readout`).
    """

    def __init__(
        self,
        backbone: Backbone,
        optimizer: AdamW,
        features: Sequence[str],
        relations: Sequence[str],
        binding: Binding = "biased",
        purity: float = 0.0,
        encodings: Sequence[Encoding] = (),
        asked: Asked = "agents",
    ):
        super().__init__(backbone, optimizer)
        self.features, self.relations, self.purity = tuple(features), tuple(relations), purity
        self.standing = Standing(encodings, len(self.relations))
        width = len(self.features) + self.standing.width
        self.encoder = GraphEncoder(backbone, AgentEmbedding(width, backbone.dim), len(self.relations), binding)
        self.asked, self.head = asked, READOUTS[asked](backbone.dim, len(self.relations))

    @classmethod
    def problems(
        cls,
        features: Sequence[str],
        relations: Sequence[str],
        binding: str = "biased",
        purity: float = 0.0,
        encodings: Sequence[str] = (),
        asked: str = "agents",
        **rest,
    ) -> list[str]:
        wrong = [
            f"{n}=[] must name at least one" for n, x in (("features", features), ("relations", relations)) if not x
        ]
        wrong += [] if purity >= 0 else [f"purity={purity} must be at least 0"]
        if purity > 0 and binding != "biased":
            wrong.append(f"purity={purity} asks learned gates to be pure: take it out, or give binding=biased")
        if strange := [kind for kind in encodings if kind not in ENCODINGS]:
            wrong.append(f"encodings={strange}: expected some of {', '.join(ENCODINGS)}")
        if asked not in READOUTS:
            wrong.append(f"asked={asked}: expected one of {', '.join(READOUTS)}")
        backbone = rest.get("backbone")
        if isinstance(backbone, Mapping) and backbone.get("num_prefix"):
            wrong.append("backbone.num_prefix must be 0: prefix tokens would join all agents over one hop")
        return wrong

    # ---- the model

    def forward(self, batch: Batch) -> Float[Tensor, "S answers"]:
        return self.head(self._tokens(batch), batch.links)

    def _tokens(self, batch: Batch) -> Float[Tensor, "S n D"]:
        features = batch.features
        if self.standing.kinds:
            standing = self.standing(batch.graphs).to(features)
            features = torch.cat([features, standing.expand(len(features), -1, -1)], -1)
        return self.encoder(self.backbone, features, batch.links)

    def outcome(self, batch: Batch) -> Outcome:
        """The examples are the agents (or what else is asked of) in each scenario whose response is known."""
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
        """One line for each agent (link, graph) in each scenario, numbered, since names may repeat."""
        names = [answered_by(graph, self.asked) for graph in batch.graphs]
        number = [i + 1 for each in names for i in range(len(each))]
        names, count = [name for each in names for name in each], len(batch.features)
        given = {name: batch.features[..., i].flatten().tolist() for i, name in enumerate(self.features)}
        return {
            "scenario": [s + 1 for s in range(count) for _ in names],
            "number": number * count,
            self.asked.removesuffix("s"): names * count,
            **(given if self.asked == "agents" else {}),
            "response": self(batch).flatten().tolist(),
        }

    def embeddings(self, batch: Batch) -> Float[Tensor, "B D"]:
        """A row for each line of `predictions`."""
        return self._tokens(batch).flatten(0, 1)

    def token_names(self, batch: Batch) -> list[list[str]]:
        return [[name for graph in batch.graphs for name in graph.names] + ["outside"]] * len(batch.features)

    def open_input(self, path: Path, labelled: bool = False) -> DataLoader:
        return input_loader(path, self.features, self.relations, labelled)

    def insight(self, data: pl.LightningDataModule | DataLoader) -> Insight:
        if self.asked != "agents":
            return Insight(f"Influence and what-ifs are told of a model of agents; this one answers for {self.asked}.")
        return explain(self, data)

    def baselines(self, data: pl.LightningDataModule) -> Mapping[str, Tensor]:
        if self.asked != "agents":
            return {}
        return simple_answers(data.part("train"), data.test_dataloader(), len(self.backbone.blocks))
