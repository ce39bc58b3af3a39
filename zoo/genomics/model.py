"""The promoter detector: DNA -> tokens -> the shared backbone -> attention pooling -> one logit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from jaxtyping import Float, Integer
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torchmetrics import MetricCollection
from torchmetrics.classification import BinaryAUROC, BinaryAveragePrecision, BinaryMatthewsCorrCoef

from zoo.attention import AttentionPool, Backbone
from zoo.domain.insight import Insight
from zoo.domain.module import DomainModule, Outcome
from zoo.domain.optim import AdamW
from zoo.genomics.batch import Batch, input_loader, reverse_complement
from zoo.genomics.embed import PAD, Embedding, Tokens
from zoo.genomics.sources import explained, regressions, without_train_overlap


class PromoterDetector(DomainModule):
    """Tells bound or transcribed DNA from background.

    strands: "both" where the strand means nothing (ChIP peaks): training shows either strand at random, and the two
    strands' logits are averaged otherwise. "given" for stranded, anchored sequences (promoters).
    mutation: share of the bases that training redraws, anew each time (EvoAug, Lee et al. 2023): what rests on one
    base of one sequence cannot be learnt by heart.
    """

    def __init__(
        self,
        backbone: Backbone,
        optimizer: AdamW,
        embedding: Embedding,
        strands: Literal["given", "both"] = "given",
        pool_heads: int = 4,
        dropout: float = 0.1,
        mutation: float = 0.0,
    ):
        super().__init__(backbone, optimizer)
        self.embedding, self.strands, self.mutation = embedding, strands, mutation
        self.pool = AttentionPool(backbone.dim, pool_heads)
        self.head = nn.Sequential(nn.LayerNorm(backbone.dim), nn.Dropout(dropout), nn.Linear(backbone.dim, 1))

    @classmethod
    def problems(cls, mutation: float = 0.0, dropout: float = 0.1, **arguments: object) -> list[str]:
        shares = (("mutation", mutation), ("dropout", dropout))
        return [f"{name}={share} is a share, 0 to 1" for name, share in shares if not 0 <= share <= 1]

    # ---- the model

    def pooled(self, tokens: Tokens) -> Float[Tensor, "B D"]:
        encoded = self.backbone(tokens.tokens, tokens.mask)
        return self.pool(encoded.tokens, encoded.mask)

    def logit_of(self, tokens: Tokens) -> Float[Tensor, " B"]:
        return self.head(self.pooled(tokens)).squeeze(-1)

    def strand_logit(self, codes: Integer[Tensor, "B L"]) -> Float[Tensor, " B"]:
        """The logit of the strand as written."""
        return self.logit_of(self.embedding(codes))

    def forward(self, codes: Integer[Tensor, "B L"]) -> Float[Tensor, " B"]:
        if self.strands == "given":
            return self.strand_logit(codes)
        return self.strand_logit(torch.cat([codes, reverse_complement(codes)])).view(2, -1).mean(0)

    def outcome(self, batch: Batch) -> Outcome:
        logit = self.strand_logit(self._augmented(batch.codes)) if self.training else self(batch.codes)
        loss = F.binary_cross_entropy_with_logits(logit, batch.labels)
        return Outcome(loss, logit.sigmoid(), batch.labels.int())

    def _augmented(self, codes: Integer[Tensor, "B L"]) -> Integer[Tensor, "B L"]:
        if self.strands == "both":
            flip = torch.rand(len(codes), 1, device=codes.device) < 0.5
            codes = torch.where(flip, reverse_complement(codes), codes)
        if self.mutation:
            hit = (torch.rand(codes.shape, device=codes.device) < self.mutation) & (codes != PAD)
            codes = torch.where(hit, torch.randint_like(codes, 4), codes)
        return codes

    # ---- what the verbs ask for

    def token_names(self, batch: Batch) -> list[list[str]]:
        """The bases that a token stands at."""
        front = [f"class {i + 1}" for i in range(self.backbone.num_prefix)]
        return [front + names for names in self.embedding.names(batch.codes)]

    def new_metrics(self) -> MetricCollection:
        return MetricCollection(
            {"auroc": BinaryAUROC(), "auprc": BinaryAveragePrecision(), "mcc": BinaryMatthewsCorrCoef()}
        )

    def predictions(self, batch: Batch) -> Mapping[str, Sequence]:
        return {"sequence": list(batch.names), "probability": self(batch.codes).sigmoid().tolist()}

    def embeddings(self, batch: Batch) -> Float[Tensor, "B D"]:
        """The pooled vector; of both strands' mean where the strand means nothing."""
        forward = self.pooled(self.embedding(batch.codes))
        if self.strands == "given":
            return forward
        return (forward + self.pooled(self.embedding(reverse_complement(batch.codes)))) / 2

    def open_input(self, path: Path, labelled: bool = False) -> DataLoader:
        return input_loader(path, labelled)

    def insight(self, data: pl.LightningDataModule | DataLoader) -> Insight:
        return explained(self, data)

    def baselines(self, data: pl.LightningDataModule) -> Mapping[str, Tensor]:
        return regressions(self, data)

    def test_parts(self, data: pl.LightningDataModule) -> Mapping[str, Tensor]:
        return without_train_overlap(data)
