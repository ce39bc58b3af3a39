"""Graphs with their scenarios as batches of tensors.

Axes: S scenarios, n agents of all graphs of the batch, F features.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.utils.data import Dataset

from zoo.graphs.graph import SupplyGraph
from zoo.graphs.links import Links
from zoo.graphs.planted import Scenarios


class Batch(NamedTuple):
    """response: NaN where it is not known."""

    features: Float[Tensor, "S n F"]
    response: Float[Tensor, "S n"]
    links: Links
    graphs: tuple[SupplyGraph, ...]


class ScenarioSet(Dataset):
    """One item is one graph with all its scenarios; in a batch all have equally many."""

    def __init__(self, scenarios: Sequence[Scenarios]):
        self.scenarios = tuple(scenarios)

    def __len__(self) -> int:
        return len(self.scenarios)

    def __getitem__(self, i: int) -> Scenarios:
        return self.scenarios[i]


def collate(items: Sequence[Scenarios]) -> Batch:
    """Graphs side by side."""
    graphs = tuple(item.graph for item in items)
    features = np.concatenate([item.shocks for item in items], axis=1, dtype=np.float32)
    response = np.concatenate([item.response for item in items], axis=1, dtype=np.float32)
    return Batch(torch.from_numpy(features), torch.from_numpy(response), Links.of(graphs), graphs)
