"""Chains for training: planted, so that the answer is known. Whole graphs are held out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from zoo.domain.data import PARTS, DomainData
from zoo.graphs.batch import ScenarioSet, collate
from zoo.graphs.planted import (
    Scenarios,
    plant_economy,
    plant_firms,
    plant_products,
    price_scenarios,
    relation_scenarios,
    shuffled,
)

HELD_OUT = 1_000_003  # seeds of graphs lie so far apart between the parts


class PlantedChains(DomainData):
    """Generated graphs and shocks (`zoo.graphs.planted`): nothing to download.

    kind: "products" (a bill of materials, hops matter), "firms" (three kinds of relation, heads matter) or "economy"
    (an input-output table). num_graphs: to train on; `held_out` more each for validation and test. scenarios: shocks
    to each graph in training, eight times as many elsewhere. shuffle: the control; the model gets the links of other
    agents. first: train and validate on so many graphs alone (debug=overfit).
    """

    collate = staticmethod(collate)

    def __init__(
        self,
        kind: Literal["products", "firms", "economy"] = "products",
        num_graphs: int = 160,
        held_out: int = 20,
        num_agents: int = 30,
        depth: int = 5,
        scenarios: int = 8,
        shuffle: bool = False,
        batch_size: int = 4,
        num_workers: int = 0,
        seed: int = 0,
        first: int | None = None,
    ):
        super().__init__(batch_size, num_workers, seed)
        self.kind, self.num_graphs, self.held_out, self.num_agents, self.depth = (
            kind, num_graphs, held_out, num_agents, depth,
        )  # fmt: skip
        self.scenarios, self.shuffle, self.first = scenarios, shuffle, first

    @classmethod
    def problems(
        cls,
        num_graphs: int = 160,
        held_out: int = 20,
        num_agents: int = 30,
        depth: int = 5,
        scenarios: int = 8,
        **arguments: object,
    ) -> list[str]:
        counts = {"num_graphs": num_graphs, "held_out": held_out, "depth": depth, "scenarios": scenarios}
        wrong = [f"{name}={count} must be at least 1" for name, count in counts.items() if count < 1]
        if num_agents < 2 * (depth + 1):
            wrong.append(f"num_agents={num_agents} are too few for depth={depth}: give at least {2 * (depth + 1)}")
        return wrong + super().problems(**{k: v for k, v in arguments.items() if k in ("batch_size", "num_workers")})

    def parts(self) -> Mapping[str, ScenarioSet]:
        found = {}
        for number, part in enumerate(PARTS):
            count = self.num_graphs if part == "train" else self.held_out
            first = self.seed * 10_007 + number * HELD_OUT
            each = self.scenarios if part == "train" else 8 * self.scenarios
            found[part] = [self._planted(first + i, each) for i in range(count)]
        if self.first is not None:
            found["train"] = found["train"][: self.first]
            found["valid"] = found["train"]
        return {part: ScenarioSet(scenarios) for part, scenarios in found.items()}

    def _planted(self, seed: int, count: int) -> Scenarios:
        if self.kind == "firms":
            made = relation_scenarios(plant_firms(self.num_agents, seed=seed), count, seed)
        elif self.kind == "economy":
            made = price_scenarios(plant_economy(self.num_agents, seed), count, seed)
        else:
            made = price_scenarios(plant_products(self.num_agents, self.depth, seed), count, seed)
        if not self.shuffle:
            return made
        return made._replace(graph=shuffled(made.graph, seed), law=None)
