"""Part of a graph that is too large to be held: the agents asked about, and whoever acts on them within so many hops.

With all suppliers kept, the answers are those of the whole graph, exactly: nothing beyond L hops reaches a model of L
layers. With at most `most` suppliers of each agent drawn (GraphSAGE, Hamilton et al. 2017), those that are kept stand
for the others: their shares are scaled so that each agent still buys as much of each relation, as far as it is drawn
at all.

Axes: n agents, E links.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int

from zoo.domain.errors import InputError
from zoo.graphs.batch import ScenarioSet
from zoo.graphs.graph import SupplyGraph
from zoo.graphs.planted import Scenarios
from zoo.graphs.what_if import respond

if TYPE_CHECKING:
    from zoo.graphs.model import PropagationModel


class Neighbourhood(NamedTuple):
    """graph: with its own numbering. agents: their numbers in the whole graph, the targets first."""

    graph: SupplyGraph
    agents: Int[np.ndarray, " k"]


class Suppliers:
    """Links of a graph sorted by buyer, made once: O(E)."""

    def __init__(self, graph: SupplyGraph):
        self.graph = graph
        self.order = np.argsort(graph.buyer, kind="stable")
        self.first = np.searchsorted(graph.buyer[self.order], np.arange(len(graph) + 1))

    def links_into(self, agents: Int[np.ndarray, " k"], most: int | None, draw: np.random.Generator) -> np.ndarray:
        """Numbers of the links, at most `most` for each agent."""
        found = []
        for agent in agents:
            links = self.order[self.first[agent] : self.first[agent + 1]]
            found.append(links if most is None or len(links) <= most else draw.choice(links, most, replace=False))
        return np.concatenate([np.zeros(0, dtype=np.int64), *found])

    def around(self, targets: Sequence[int], hops: int, most: int | None = None, seed: int = 0) -> Neighbourhood:
        """What `hops` layers need to answer for `targets`. Raises InputError for unknown ones."""
        targets = np.asarray(targets, dtype=np.int64)
        if len(np.unique(targets)) < len(targets) or ((targets < 0) | (targets >= len(self.graph))).any():
            raise InputError(f"targets: expected different agents, numbered 0 to {len(self.graph) - 1}")
        draw = np.random.default_rng(seed)
        known, frontier, links = targets, targets, [np.zeros(0, dtype=np.int64)]
        for _ in range(hops):
            links.append(self.links_into(frontier, most, draw))
            frontier = np.setdiff1d(self.graph.supplier[links[-1]], known)
            known = np.concatenate([known, frontier])
        chosen = np.concatenate(links)
        place = np.full(len(self.graph), -1)
        place[known] = np.arange(len(known))
        graph = self.graph
        part = replace(
            graph,
            names=tuple(graph.names[i] for i in known),
            supplier=place[graph.supplier[chosen]],
            buyer=place[graph.buyer[chosen]],
            shares=graph.shares[chosen],
            features=graph.features[known],
        )
        return Neighbourhood(part if most is None else _standing_for_all(part, graph.bought[known]), known)


class SampledSet(ScenarioSet):
    """For training: each time a graph is asked for, `targets` of its agents, drawn anew, with what acts on them; the
    response of the others counts as unknown."""

    def __init__(self, scenarios: Sequence[Scenarios], hops: int, targets: int, most: int | None = None):
        super().__init__(scenarios)
        self.hops, self.targets, self.most = hops, targets, most
        self.suppliers = [Suppliers(s.graph) for s in self.scenarios]

    def __getitem__(self, i: int) -> Scenarios:
        whole, seed = self.scenarios[i], int(torch.randint(2**31, ()))  # torch's state is kept by a checkpoint
        n = len(whole.graph)
        asked = np.random.default_rng(seed).choice(n, min(self.targets, n), replace=False)
        part = self.suppliers[i].around(asked, self.hops, self.most, seed)
        response = np.full((len(whole.shocks), len(part.agents)), np.nan, dtype=np.float32)
        response[:, : len(asked)] = whole.response[:, asked]
        return Scenarios(part.graph, whole.shocks[:, part.agents], response, whole.law)


def _standing_for_all(part: SupplyGraph, bought: Float[np.ndarray, "k R"]) -> SupplyGraph:
    scale = np.divide(bought, part.bought, out=np.ones_like(bought), where=part.bought > 0)
    return replace(part, shares=part.shares * scale[part.buyer])


def respond_in_parts(
    model: PropagationModel,
    graph: SupplyGraph,
    features: Float[np.ndarray, "n F"],
    at_once: int = 256,
    most: int | None = None,
    seed: int = 0,
) -> Float[np.ndarray, " n"]:
    """The response of every agent in one scenario, `at_once` of them at a time."""
    suppliers, hops = Suppliers(graph), len(model.backbone.blocks)
    out = np.zeros(len(graph), dtype=np.float32)
    for start in range(0, len(graph), at_once):
        targets = np.arange(start, min(start + at_once, len(graph)))
        part = suppliers.around(targets, hops, most, seed + start)
        out[targets] = respond(model, part.graph, features[part.agents])[: len(targets)]
    return out
