"""Contacts from a sequence alone: no alignment, no language model, chains with structures to learn from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from zoo.domain.insight import Insight
from zoo.proteins.batch import Batch
from zoo.proteins.chain_data import ChainSet, collate_chains
from zoo.proteins.pair_predictor import PairPredictor
from zoo.proteins.precision import long_range
from zoo.proteins.propensity import Propensity
from zoo.proteins.sequence_insight import explain
from zoo.proteins.sources import own_sequences, with_native


class SequencePredictor(PairPredictor):
    """`backbone` is a `zoo.proteins.sequence_map.SequenceMap`."""

    def open_input(self, path: Path, labelled: bool = False) -> DataLoader:
        return _loader(own_sequences(path, labelled))

    def open_referring(self, path: Path, reference: Path, data: pl.LightningDataModule) -> DataLoader:
        """reference: the structure of the one sequence of the file."""
        return _loader(with_native(own_sequences(path), path, reference))

    def insight(self, data: pl.LightningDataModule | DataLoader) -> Insight:
        return explain(self, data)

    def baselines(self, data: pl.LightningDataModule) -> Mapping[str, Tensor]:
        learnt, test = Propensity(data.part("train").examples), data.part("test").examples
        maps = {"separation": learnt.separation, "separation and pair propensity": learnt.scores}
        return {
            name: torch.tensor([long_range(score(e.alignment.codes[0]), e.native) for e in test])
            for name, score in maps.items()
        }

    def embeddings(self, batch: Batch) -> Tensor:
        """The mean over the residues of what the backbone says of them."""
        tokens = self.backbone.residues(batch.features, batch.present)
        present = batch.present[..., None]
        return (tokens * present).sum(1) / present.sum(1)


def _loader(examples) -> DataLoader:
    return DataLoader(ChainSet(examples), batch_size=8, collate_fn=collate_chains)
