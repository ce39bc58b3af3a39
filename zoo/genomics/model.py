"""The promoter detector: DNA -> tokens -> the shared backbone -> attention pooling -> one logit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from jaxtyping import Float, Integer
from pytorch_lightning.trainer.states import TrainerFn
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torchmetrics import MetricCollection
from torchmetrics.classification import BinaryAUROC, BinaryAveragePrecision, BinaryMatthewsCorrCoef

from zoo.attention import AttentionPool, Backbone, Padding
from zoo.domain.insight import Insight
from zoo.domain.module import DomainModule, Outcome
from zoo.domain.optim import AdamW
from zoo.genomics.batch import Batch, reverse_complement
from zoo.genomics.calibration import CERTAIN, Offset
from zoo.genomics.data import PromoterData
from zoo.genomics.embed import PAD, Embedding, Tokens
from zoo.genomics.inputs import input_loader, referring_loader
from zoo.genomics.readout import StrongestPool, Total
from zoo.genomics.shuffle_task import ShuffleTask
from zoo.genomics.sources import explained, regressions, without_train_overlap
from zoo.genomics.variants import VariantBatch, usual_width, variant_effects


class PromoterDetector(DomainModule):
    """Tells bound or transcribed DNA from background.

    strands: "both" where the strand means nothing (ChIP peaks): training shows either strand at random, and the two
    strands' logits are averaged otherwise. "given" for stranded, anchored sequences (promoters).
    mutation: share of the bases that training redraws, anew each time (EvoAug, Lee et al. 2023): what rests on one
    base of one sequence cannot be learnt by heart.
    readout: "attention" pools all tokens by learned queries; "strongest" lets the strongest tokens decide
    (`zoo.genomics.readout`). shuffle_weight: of a second loss, which tells sequences from their shuffles
    (`zoo.genomics.shuffle_task`); 0 leaves it out. jaspar: whose matrices the motifs are compared with.
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
        readout: Literal["attention", "strongest"] = "attention",
        shuffle_weight: float = 0.0,
        jaspar: Literal["vertebrates", "plants", "insects", "fungi", "nematodes", "urochordates"] = "vertebrates",
    ):
        super().__init__(backbone, optimizer)
        self.embedding, self.strands, self.mutation, self.jaspar = embedding, strands, mutation, jaspar
        if readout == "attention":
            self.pool = AttentionPool(backbone.dim, pool_heads)
            self.head = nn.Sequential(nn.LayerNorm(backbone.dim), nn.Dropout(dropout), nn.Linear(backbone.dim, 1))
        else:
            self.pool, self.head = StrongestPool(backbone.dim, pool_heads, dropout), Total()
        self.shuffle_weight = shuffle_weight
        self.shuffle_task = ShuffleTask(backbone.dim, pool_heads) if shuffle_weight else None
        self.register_buffer("usual_width", None)
        self.register_buffer("offset", torch.zeros(()))
        self.best_offset = Offset()

    @classmethod
    def problems(
        cls, mutation: float = 0.0, dropout: float = 0.1, shuffle_weight: float = 0.0, **arguments: object
    ) -> list[str]:
        shares = (("mutation", mutation), ("dropout", dropout))
        wrong = [f"{name}={share} is a share, 0 to 1" for name, share in shares if not 0 <= share <= 1]
        return wrong + ([] if shuffle_weight >= 0 else [f"shuffle_weight={shuffle_weight} must be at least 0"])

    # ---- what its checkpoints remember: the length of what it was trained on, and the offset of its logits

    def setup(self, stage: str) -> None:
        if stage == "fit" and isinstance(data := self.trainer.datamodule, PromoterData):
            self.usual_width = torch.tensor(usual_width(data.sequences("train")), device=self.device)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *arguments: Any) -> None:
        """Checkpoints from before width and offset were remembered have none, and are whole without them."""
        width = state_dict.get(prefix + "usual_width")
        if width is not None:
            self.usual_width = width.to(self.device)
        elif self.usual_width is not None:
            state_dict[prefix + "usual_width"] = self.usual_width
        state_dict.setdefault(prefix + "offset", torch.zeros_like(self.offset))
        super()._load_from_state_dict(state_dict, prefix, *arguments)

    def on_validation_epoch_start(self) -> None:
        if self.trainer.state.fn == TrainerFn.FITTING:
            self.offset.zero_()
        self.best_offset.reset()

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        outcome = self.outcome(batch)
        self.best_offset.update(outcome.prediction, outcome.target)

    def on_validation_epoch_end(self) -> None:
        """Sets the offset, and scores what then is said."""
        added = torch.zeros_like(self.offset)
        if self.trainer.state.fn == TrainerFn.FITTING:
            added = self.best_offset.compute()
            self.offset.copy_(added)
            self.log("valid/offset", added, sync_dist=True)
        said, labels = self.best_offset.shifted(added)
        loss = F.binary_cross_entropy_with_logits(said.logit(CERTAIN), labels.to(said))
        self.score("valid", Outcome(loss, said, labels))

    def on_train_end(self) -> None:
        """Averaged weights come with the offset of an epoch before."""
        if self.best_offset.update_called:
            self.offset.copy_(self.best_offset.compute())

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_save_checkpoint(checkpoint)
        checkpoint["state_dict"]["offset"] = self.offset.clone()  # as in `on_train_end`

    # ---- the model

    def pooled(self, tokens: Tokens) -> Float[Tensor, "B D"]:
        encoded = self.backbone(tokens.tokens, tokens.mask)
        return self.pool(encoded.tokens, encoded.mask)

    sign = 1.0  # -1 while what speaks against the class is read (`zoo.genomics.against.opposite`)

    def logit_of(self, tokens: Tokens) -> Float[Tensor, " B"]:
        return self.sign * self.head(self.pooled(tokens)).squeeze(-1)

    def strand_logit(self, codes: Integer[Tensor, "B L"]) -> Float[Tensor, " B"]:
        """The logit of the strand as written."""
        return self.logit_of(self.embedding(codes))

    def forward(self, codes: Integer[Tensor, "B L"]) -> Float[Tensor, " B"]:
        """The logit, calibrated (`zoo.genomics.calibration`)."""
        if self.strands == "given":
            logit = self.strand_logit(codes)
        else:
            logit = self.strand_logit(torch.cat([codes, reverse_complement(codes)])).view(2, -1).mean(0)
        return logit + self.sign * self.offset

    def outcome(self, batch: Batch) -> Outcome:
        if not self.training:
            logit, beside = self(batch.codes), 0.0
        elif self.shuffle_task is None:
            logit, beside = self.strand_logit(self._augmented(batch.codes)), 0.0
        else:
            logit, beside = self._with_shuffles(self._augmented(batch.codes))
        loss = F.binary_cross_entropy_with_logits(logit, batch.labels) + beside
        return Outcome(loss, logit.float().sigmoid(), batch.labels.int())

    def _with_shuffles(self, codes: Integer[Tensor, "B L"]) -> tuple[Float[Tensor, " B"], Float[Tensor, ""]]:
        """The logits, and the weighted loss of the second task, from one pass over both."""
        real = len(codes)
        tokens = self.embedding(torch.cat([codes, self.shuffle_task.shuffles(codes)]))
        encoded = self.backbone(tokens.tokens, tokens.mask)
        beside = self.shuffle_weight * self.shuffle_task.loss(encoded, real)
        mask = None if encoded.mask is None else Padding(encoded.mask.present[:real])
        return self.head(self.pool(encoded.tokens[:real], mask)).squeeze(-1), beside

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

    def predictions(self, batch: Batch | VariantBatch) -> Mapping[str, Sequence]:
        if isinstance(batch, VariantBatch):
            return variant_effects(self, batch)
        return {"sequence": list(batch.names), "probability": self(batch.codes).sigmoid().tolist()}

    def embeddings(self, batch: Batch) -> Float[Tensor, "B D"]:
        """The pooled vector; of both strands' mean where the strand means nothing."""
        forward = self.pooled(self.embedding(batch.codes))
        if self.strands == "given":
            return forward
        return (forward + self.pooled(self.embedding(reverse_complement(batch.codes)))) / 2

    def open_input(self, path: Path, labelled: bool = False) -> DataLoader:
        return input_loader(path, labelled)

    def open_referring(self, path: Path, reference: Path, data: PromoterData) -> DataLoader:
        width = int(self.usual_width) if self.usual_width is not None else None
        return referring_loader(path, reference, data, width)

    def insight(self, data: pl.LightningDataModule | DataLoader) -> Insight:
        return explained(self, data)

    def baselines(self, data: pl.LightningDataModule) -> Mapping[str, Tensor]:
        return regressions(self, data)

    def test_parts(self, data: pl.LightningDataModule) -> Mapping[str, Tensor]:
        return without_train_overlap(data)
