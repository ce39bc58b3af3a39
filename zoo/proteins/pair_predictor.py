"""What predictors of contacts share: a map of pairs is read, each pair gets a probability, precision is counted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from torchmetrics import MetricCollection

from zoo.domain.module import DomainModule, Outcome
from zoo.domain.optim import AdamW
from zoo.proteins.batch import Batch
from zoo.proteins.contacts import Native
from zoo.proteins.formats import ranked_pairs
from zoo.proteins.pair_map import PairMap
from zoo.proteins.precision import long_range, mean_precision
from zoo.proteins.query import query_letters


class PairPredictor(DomainModule):
    """backbone: gives each pair a vector. prior: share of pairs in contact, where the output starts."""

    def __init__(self, backbone: PairMap, optimizer: AdamW, prior: float = 0.05):
        super().__init__(backbone, optimizer)
        self.head = nn.Linear(backbone.dim, 1)
        with torch.no_grad():
            self.head.bias.fill_(torch.logit(torch.tensor(prior)))

    @classmethod
    def problems(cls, prior: float = 0.05, **arguments: object) -> list[str]:
        return [] if 0 < prior < 1 else [f"prior={prior} is a share, 0 to 1"]

    def features(self, batch: Batch) -> Tensor:
        """What the backbone is given of a batch."""
        return batch.features

    def forward(self, batch: Batch) -> Float[Tensor, "B L L"]:
        """Logits, symmetric."""
        return self.head(self.backbone(self.features(batch), batch.present)).squeeze(-1)

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

    reference_is_truth = True  # it is the structure

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
