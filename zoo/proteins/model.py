"""The contact predictor: what coupling models and family attention say of each pair -> a map of pairs that is read by
attention -> a probability for each pair."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torchmetrics import MetricCollection

from zoo.domain.insight import Insight
from zoo.domain.module import DomainModule, Outcome
from zoo.domain.optim import AdamW
from zoo.proteins.batch import Batch
from zoo.proteins.contacts import Native
from zoo.proteins.family_attention import FamilySettings
from zoo.proteins.formats import ranked_pairs
from zoo.proteins.insight import baseline_precision, explain
from zoo.proteins.pair_features import COUPLINGS
from zoo.proteins.pair_map import PairMap
from zoo.proteins.precision import long_range, mean_precision
from zoo.proteins.query import query_letters
from zoo.proteins.sources import input_loader


class ContactPredictor(DomainModule):
    """Contacts across families.

    family: how the attention of a person's own family is trained; the data module's must be the same.
    noise: standard deviation of what training adds to the coupling maps, in their own deviations. drop: how often
    training hides one of the coupling maps. Both keep the model from leaning on one family's accidents.
    prior: share of pairs in contact, where the output starts.
    """

    def __init__(
        self,
        backbone: PairMap,
        optimizer: AdamW,
        family: FamilySettings | None = None,
        noise: float = 0.3,
        drop: float = 0.1,
        prior: float = 0.05,
    ):
        super().__init__(backbone, optimizer)
        self.family = family
        self.noise, self.drop = noise, drop
        self.head = nn.Linear(backbone.dim, 1)
        with torch.no_grad():
            self.head.bias.fill_(torch.logit(torch.tensor(prior)))

    @classmethod
    def problems(cls, noise: float = 0.3, drop: float = 0.1, prior: float = 0.05, **arguments: object) -> list[str]:
        wrong = [] if noise >= 0 else [f"noise={noise} must be at least 0"]
        wrong += [] if 0 <= drop < 1 else [f"drop={drop} is a share, 0 to 1"]
        return wrong + ([] if 0 < prior < 1 else [f"prior={prior} is a share, 0 to 1"])

    # ---- the model

    def forward(self, batch: Batch) -> Float[Tensor, "B L L"]:
        """Logits, symmetric."""
        features = self._augmented(batch.features) if self.training else batch.features
        return self.head(self.backbone(features, batch.present)).squeeze(-1)

    def _augmented(self, features: Float[Tensor, "B C L L"]) -> Float[Tensor, "B C L L"]:
        maps, rest = features.split([len(COUPLINGS), features.shape[1] - len(COUPLINGS)], dim=1)
        if self.noise:
            disturbance = torch.randn_like(maps) * self.noise * torch.rand(len(maps), 1, 1, 1, device=maps.device)
            maps = maps + (disturbance + disturbance.mT) / 2**0.5
        if self.drop:
            maps = maps * (torch.rand(*maps.shape[:2], 1, 1, device=maps.device) >= self.drop)
        return torch.cat([maps, rest], dim=1)

    def outcome(self, batch: Batch) -> Outcome:
        """The prediction is each family's long-range precision at L, L/2, L/5; that is what is averaged."""
        logit = self(batch)
        known = ~batch.contact.isnan()
        loss = F.binary_cross_entropy_with_logits(logit[known], batch.contact[known])
        with torch.no_grad():
            scored = [self._precision(one, example.native) for one, example in zip(logit, batch.examples, strict=True)]
        return Outcome(loss, torch.tensor(scored, device=logit.device), torch.zeros(len(scored), device=logit.device))

    @staticmethod
    def _precision(logit: Float[Tensor, "L L"], native: Native) -> tuple[float, float, float]:
        length = len(native.place)
        return long_range(logit[:length, :length].float().cpu().numpy(), native)

    @torch.no_grad()
    def probabilities(self, batch: Batch) -> list[Float[Tensor, "L L"]]:
        """One map for each family, of its own size."""
        maps = self(batch).sigmoid().cpu()
        return [m[: e.alignment.length, : e.alignment.length] for m, e in zip(maps, batch.examples, strict=True)]

    # ---- what the verbs ask for

    def transfer_batch_to_device(self, batch: Batch, device: torch.device, dataloader_idx: int) -> Batch:
        """The tensors alone: Lightning would look into the examples and refuse their frozen records."""
        features, present, contact = (x.to(device) for x in (batch.features, batch.present, batch.contact))
        return Batch(features, present, contact, batch.examples)

    def new_metrics(self) -> MetricCollection:
        return mean_precision()

    def predictions(self, batch: Batch) -> Mapping[str, Sequence]:
        """One line for each pair at least six columns apart, best first."""
        columns: dict[str, list] = {}
        for probability, example in zip(self.probabilities(batch), batch.examples, strict=True):
            letters = query_letters(example.alignment)
            table = ranked_pairs(probability.numpy(), letters, example.alignment.kept, example.native)
            table.insert(0, "family", example.name)
            for name, values in table.items():
                columns.setdefault(str(name), []).extend(values)
        return columns

    def embeddings(self, batch: Batch) -> Float[Tensor, "B D"]:
        """The mean over all pairs of columns."""
        pairs = self.backbone(batch.features, batch.present)
        there = (batch.present[:, :, None] & batch.present[:, None, :]).sum((1, 2))
        return pairs.sum((1, 2)) / there[:, None]

    def open_input(self, path: Path, labelled: bool = False) -> DataLoader:
        return input_loader(path, labelled, self.family)

    def open_referring(self, path: Path, reference: Path, data: pl.LightningDataModule) -> DataLoader:
        """reference: the structure that the contacts are scored against."""
        return input_loader(path, True, self.family, reference)

    def insight(self, data: pl.LightningDataModule | DataLoader) -> Insight:
        return explain(self, data)

    def baselines(self, data: pl.LightningDataModule) -> Mapping[str, Tensor]:
        return baseline_precision(data.part("test"))
