"""What a sceptic would answer: a ridge regression on the agent and its suppliers, and Leontief's series cut off.

Axes: S scenarios, n agents, F features.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import torch
from jaxtyping import Float
from sklearn.linear_model import RidgeCV
from torch import Tensor

from zoo.graphs.batch import Batch, ScenarioSet
from zoo.graphs.graph import SupplyGraph
from zoo.graphs.leontief import within_hops
from zoo.graphs.planted import Law

ALPHAS = np.logspace(-3, 3, 7)


def simple_answers(train: ScenarioSet, test: Iterable[Batch], hops: int) -> Mapping[str, Tensor]:
    """For the agents of the test part whose response is known, in the order of the batches.

    The exact answers stand beside where the law is known: of one hop, and of as many as the model has layers.
    """
    x = np.concatenate([_own_and_bought(s.graph, s.shocks) for s in train.scenarios])
    y = np.concatenate([s.response.reshape(-1) for s in train.scenarios])
    known = np.isfinite(y)
    ridge = RidgeCV(ALPHAS).fit(x[known], y[known])
    laws = {s.law for s in train.scenarios}
    law = laws.pop() if len(laws) == 1 else None
    answers: dict[str, list[Tensor]] = {}
    for batch in test:
        there = ~batch.response.isnan()
        parts = list(zip(batch.graphs, _split(batch.features.numpy(), batch.graphs), strict=True))
        found = {"ridge on agent and suppliers": [_predicted(ridge, g, x) for g, x in parts]}
        if law is not None:
            for k in sorted({1, hops}):
                found[f"exact, {k} hop{'s' if k > 1 else ''}"] = [exact_within(g, x, k, law) for g, x in parts]
        for name, values in found.items():
            answers.setdefault(name, []).append(torch.from_numpy(np.concatenate(values, 1)).float()[there])
    return {name: torch.cat(values) for name, values in answers.items()}


def exact_within(graph: SupplyGraph, shocks: Float[np.ndarray, "S n F"], hops: int, law: Law) -> np.ndarray:
    """The response [S, n] as far as `hops` hops bring it."""
    if law == "relations":
        return sum(shocks[..., r] @ graph.matrix(r).T for r in range(len(graph.relations)))
    return shocks[..., 0] @ (within_hops(graph.matrix(), hops) - np.eye(len(graph))).T


def _own_and_bought(graph: SupplyGraph, shocks: Float[np.ndarray, "S n F"]) -> np.ndarray:
    """[S n, F (1 + R)]: an agent's features, and those of its suppliers by share of cost."""
    bought = [np.einsum("ij,sjf->sif", graph.matrix(r), shocks) for r in range(len(graph.relations))]
    return np.concatenate([shocks, *bought], -1).reshape(-1, shocks.shape[-1] * (1 + len(bought)))


def _predicted(ridge: RidgeCV, graph: SupplyGraph, shocks: np.ndarray) -> np.ndarray:
    return ridge.predict(_own_and_bought(graph, shocks)).reshape(shocks.shape[:2])


def _split(features: np.ndarray, graphs: tuple[SupplyGraph, ...]) -> list[np.ndarray]:
    return np.split(features, np.cumsum([len(g) for g in graphs])[:-1], axis=1)
