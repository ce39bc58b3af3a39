"""What the benchmarks of planted chains share: a propagation model, trained and scored."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pytorch_lightning as pl
import torch

from zoo.attention import UniformBackbone
from zoo.domain.optim import AdamW
from zoo.graphs.baselines import exact_within
from zoo.graphs.batch import Batch, collate
from zoo.graphs.data import PlantedChains
from zoo.graphs.model import PropagationModel
from zoo.graphs.planted import Scenarios

warnings.filterwarnings("ignore", module="pytorch_lightning")
warnings.filterwarnings("ignore", message=".*transfer_batch_to_device.*")
logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)


class Scored(NamedTuple):
    """On the test part: R2 of the model, and of the exact series cut off after as many hops."""

    model: float
    exact: float


def trained(
    data: PlantedChains, depth: int, heads: int, dim: int, epochs: int, seed: int, lr: float = 4e-3, **settings: object
) -> PropagationModel:
    pl.seed_everything(seed, verbose=False)
    backbone = UniformBackbone(dim, depth, heads, mlp_ratio=1.0)
    first = data.part("train")[0]
    features = [f"shock {i}" for i in range(first.shocks.shape[-1])]
    model = PropagationModel(backbone, AdamW(lr, 0.0), features, first.graph.relations, **settings)
    quiet_trainer(epochs).fit(model, data)
    return model.eval()


def quiet_trainer(epochs: int, callbacks: Sequence[pl.Callback] = (), valid: bool = False) -> pl.Trainer:
    return pl.Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        logger=False,
        callbacks=list(callbacks),
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        gradient_clip_val=1.0,
        limit_val_batches=1.0 if valid else 0,
        num_sanity_val_steps=0,
    )


@torch.no_grad()
def scored(model: PropagationModel, scenarios: list[Scenarios], hops: int) -> Scored:
    batch: Batch = collate(scenarios)
    exact = np.concatenate([exact_within(s.graph, s.shocks, hops, s.law) for s in scenarios], 1)
    truth = batch.response.numpy()
    return Scored(r2(model(batch).numpy(), truth), r2(exact, truth))


def r2(prediction: np.ndarray, truth: np.ndarray) -> float:
    return float(1 - ((prediction - truth) ** 2).sum() / ((truth - truth.mean()) ** 2).sum())
