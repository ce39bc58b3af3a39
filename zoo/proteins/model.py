"""The contact predictor: what coupling models and family attention say of each pair -> a map of pairs that is read by
attention -> a probability for each pair."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytorch_lightning as pl
import torch
from jaxtyping import Float
from torch import Tensor
from torch.utils.data import DataLoader

from zoo.domain.errors import InputError
from zoo.domain.insight import Insight
from zoo.domain.optim import AdamW
from zoo.proteins.batch import Batch
from zoo.proteins.family_attention import FamilySettings
from zoo.proteins.insight import baseline_precision, explain
from zoo.proteins.pair_features import COUPLINGS
from zoo.proteins.pair_map import PairMap
from zoo.proteins.pair_predictor import PairPredictor
from zoo.proteins.sources import input_loader


class ContactPredictor(PairPredictor):
    """Contacts across families.

    family: how the attention of a person's own family is trained; the data module's must be the same.
    noise: standard deviation of what training adds to the coupling maps, in their own deviations. drop: how often
    training hides one of the coupling maps. Both keep the model from leaning on one family's accidents.
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
        super().__init__(backbone, optimizer, prior)
        self.family = family
        self.noise, self.drop = noise, drop

    @classmethod
    def problems(cls, noise: float = 0.3, drop: float = 0.1, **arguments: object) -> list[str]:
        wrong = [] if noise >= 0 else [f"noise={noise} must be at least 0"]
        wrong += [] if 0 <= drop < 1 else [f"drop={drop} is a share, 0 to 1"]
        return wrong + super().problems(**arguments)

    def features(self, batch: Batch) -> Float[Tensor, "B C L L"]:
        """In training, disturbed. Raises InputError if the model was trained on others than are made now."""
        if batch.features.shape[1] != self.backbone.features:
            raise InputError(
                f"the model reads {self.backbone.features} features of each pair and {batch.features.shape[1]} are "
                "made of an alignment: it was trained with another version; train it again"
            )
        if not self.training:
            return batch.features
        maps, rest = batch.features.split([len(COUPLINGS), batch.features.shape[1] - len(COUPLINGS)], dim=1)
        if self.noise:
            disturbance = torch.randn_like(maps) * self.noise * torch.rand(len(maps), 1, 1, 1, device=maps.device)
            maps = maps + (disturbance + disturbance.mT) / 2**0.5
        if self.drop:
            maps = maps * (torch.rand(*maps.shape[:2], 1, 1, device=maps.device) >= self.drop)
        return torch.cat([maps, rest], dim=1)

    def open_input(self, path: Path, labelled: bool = False) -> DataLoader:
        return input_loader(path, labelled, self.family)

    def open_referring(self, path: Path, reference: Path, data: pl.LightningDataModule) -> DataLoader:
        """reference: the structure that the contacts are scored against."""
        return input_loader(path, True, self.family, reference)

    def insight(self, data: pl.LightningDataModule | DataLoader) -> Insight:
        return explain(self, data)

    def baselines(self, data: pl.LightningDataModule) -> Mapping[str, Tensor]:
        return baseline_precision(data.part("test"))
