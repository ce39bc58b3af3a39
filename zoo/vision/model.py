"""The image classifier: images of any size -> patches -> the shared backbone -> one vector for each -> classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torchmetrics import MetricCollection
from torchmetrics.classification import MulticlassAccuracy

from zoo.attention import Backbone
from zoo.attention.observe import attentions
from zoo.domain.insight import Insight
from zoo.domain.module import DomainModule, Outcome
from zoo.domain.optim import AdamW
from zoo.vision import baselines
from zoo.vision.batch import Batch, Sizing
from zoo.vision.data import PlantedImages
from zoo.vision.embed import ImageEmbedding
from zoo.vision.inputs import input_loader
from zoo.vision.layout import Arrangement
from zoo.vision.mixing import Mix, cross_entropy, one_hot
from zoo.vision.network import ImageReader, misfit
from zoo.vision.readout import Readout
from zoo.vision.scores import BalancedAccuracy
from zoo.vision.sources import explained, shapes


class ImageClassifier(ImageReader, DomainModule):
    """Which class an image is of. The classes are those of the data that it is trained on: the head is made when these
    are known, and a checkpoint remembers their names.

    sizing: how images become patches; the data module's must be the same. arrangement: how images of different sizes
    share a batch. mix: mixup, or none. smoothing: share of the label that is spread over all classes (Szegedy et al.
    2016). dropout: before the head.
    """

    def __init__(
        self,
        backbone: Backbone,
        optimizer: AdamW,
        embedding: ImageEmbedding,
        readout: Readout,
        sizing: Sizing,
        arrangement: Arrangement = "packed",
        mix: Mix | None = None,
        smoothing: float = 0.0,
        dropout: float = 0.0,
    ):
        super().__init__(backbone, optimizer)
        if wrong := misfit(embedding, backbone):
            raise ValueError(wrong)
        if embedding.patches.patch != sizing.patch:
            raise ValueError(f"the embedding's patches are {embedding.patches.patch}, those of sizing {sizing.patch}")
        self.embedding, self.readout, self.sizing, self.arrangement = embedding, readout, sizing, arrangement
        self.mix, self.smoothing, self.dropout = mix, smoothing, dropout
        self.head: nn.Module = nn.Identity()
        self.classes: tuple[str, ...] = ()

    @classmethod
    def problems(cls, smoothing: float = 0.0, dropout: float = 0.0, **arguments: object) -> list[str]:
        shares = (("smoothing", smoothing), ("dropout", dropout))
        return [f"{name}={share} is a share, 0 up to 1" for name, share in shares if not 0 <= share < 1]

    # ---- the classes

    def setup(self, stage: str) -> None:
        if not self.classes:
            self.begin(self.trainer.datamodule.classes)

    def begin(self, classes: Sequence[str]) -> None:
        """Makes the head, at zero: every class is equally likely."""
        self.classes = tuple(classes)
        linear = nn.Linear(self.readout.width, len(self.classes))
        nn.init.zeros_(linear.weight)
        nn.init.zeros_(linear.bias)
        self.head = nn.Sequential(nn.Dropout(self.dropout), linear).to(self.device)
        names = torch.frombuffer(bytearray("\n".join(self.classes).encode()), dtype=torch.uint8)
        self.register_buffer("class_names", names.to(self.device))
        self.new_stages()

    def load_state_dict(self, state_dict: Mapping[str, Any], *arguments: Any, **named: Any):
        if not self.classes and "class_names" in state_dict:
            self.begin(bytes(state_dict["class_names"].tolist()).decode().split("\n"))
        return super().load_state_dict(state_dict, *arguments, **named)

    # ---- the model

    def outcome(self, batch: Batch) -> Outcome:
        """The prediction is the classes' probabilities."""
        target = one_hot(batch.labels, len(self.classes))
        pixels = batch.pixels
        if self.training and self.mix is not None:
            pixels, target = self.mix(pixels, target)
        watched = any(attention.watcher is not None for attention in attentions(self.backbone).values())
        logits = self(pixels, "padded" if watched else self.arrangement)  # to those who look, a row is an image
        loss = cross_entropy(logits, target, self.smoothing if self.training else 0.0)
        return Outcome(loss, logits.softmax(-1), batch.labels)

    # ---- what the verbs ask for

    def new_metrics(self) -> MetricCollection:
        """None before the classes are known."""
        if not (count := len(getattr(self, "classes", ()))):
            return MetricCollection({})
        return MetricCollection(
            {
                "balanced_accuracy": BalancedAccuracy(count),
                "accuracy": MulticlassAccuracy(count, average="micro"),
            }
        )

    def predictions(self, batch: Batch) -> Mapping[str, Sequence]:
        probability = self(batch.pixels, self.arrangement).softmax(-1).cpu()
        best = probability.argmax(1).tolist()
        columns = {"image": list(batch.names), "class": [self.classes[i] for i in best]}
        columns |= {"width": batch.sizes[:, 1].tolist(), "height": batch.sizes[:, 0].tolist()}
        return columns | {name: probability[:, i].tolist() for i, name in enumerate(self.classes)}

    def embeddings(self, batch: Batch) -> Float[Tensor, "N D"]:
        return self.vectors(batch.pixels, self.arrangement)

    def token_names(self, batch: Batch) -> Sequence[Sequence[str]]:
        """Row and column of each patch."""
        grids = self.embedding.patches.grids(batch.pixels)
        front = [f"class {i + 1}" for i in range(self.embedding.front)]
        return [front + [f"{y},{x}" for y in range(g.height) for x in range(g.width)] for g in grids]

    def open_input(self, path: Path, labelled: bool = False) -> DataLoader:
        return input_loader(path, self.sizing, self.classes, labelled)

    def insight(self, data: pl.LightningDataModule | DataLoader) -> Insight:
        return explained(self, data)

    def test_parts(self, data: pl.LightningDataModule) -> Mapping[str, Tensor]:
        """By proportions; planted images have any, and their class has nothing to do with them."""
        return {} if isinstance(data, PlantedImages) else shapes(data.part("test"))

    def baselines(self, data: pl.LightningDataModule) -> Mapping[str, Tensor]:
        return baselines.baselines(data.part("train"), data.part("test"), data.seed)
