"""Chains for training: planted, so that the answer is known. Whole graphs are held out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from zoo.domain.data import PARTS, DomainData
from zoo.graphs.batch import ScenarioSet, collate
from zoo.graphs.encodings import DISTANCES, all_see_all
from zoo.graphs.input_output import with_relations
from zoo.graphs.planted import (
    Scenarios,
    plant_economy,
    plant_firms,
    plant_products,
    price_scenarios,
    relation_scenarios,
    shuffled,
)
from zoo.graphs.readout import Asked, planted_answer
from zoo.graphs.sampling import SampledSet

HELD_OUT = 1_000_003  # seeds of graphs lie so far apart between the parts


class PlantedChains(DomainData):
    """Generated graphs and shocks (`zoo.graphs.planted`): nothing to download.

    kind: "products" (a bill of materials, hops matter), "firms" (three kinds of relation, heads matter) or "economy"
    (an input-output table). num_graphs: to train on; `held_out` more each for validation and test. scenarios: shocks
    to each graph in training, eight times as many elsewhere. shuffle: the control; the model gets the links of other
    agents. sight: "all" joins everyone with everyone, in relations by distance (`zoo.graphs.encodings`), to compare
    with. targets: train on so many agents of a graph at a time, drawn anew, and on what acts on them within `hops`, at
    most `suppliers` of each agent. asked: of what the answer is (`zoo.graphs.readout`). first: train and validate on so
    many graphs alone (debug=overfit).
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
        sight: Literal["links", "all"] = "links",
        targets: int | None = None,
        suppliers: int | None = None,
        hops: int = 5,
        asked: Asked = "agents",
        batch_size: int = 4,
        num_workers: int = 0,
        seed: int = 0,
        first: int | None = None,
    ):
        super().__init__(batch_size, num_workers, seed)
        self.kind, self.num_graphs, self.held_out, self.num_agents, self.depth = (
            kind, num_graphs, held_out, num_agents, depth,
        )  # fmt: skip
        self.scenarios, self.shuffle, self.sight, self.first = scenarios, shuffle, sight, first
        self.targets, self.suppliers, self.hops, self.asked = targets, suppliers, hops, asked

    @classmethod
    def problems(
        cls,
        num_graphs: int = 160,
        held_out: int = 20,
        num_agents: int = 30,
        depth: int = 5,
        scenarios: int = 8,
        sight: str = "links",
        targets: int | None = None,
        suppliers: int | None = None,
        asked: str = "agents",
        **arguments: object,
    ) -> list[str]:
        counts = {"num_graphs": num_graphs, "held_out": held_out, "depth": depth, "scenarios": scenarios}
        counts |= {name: n for name, n in (("targets", targets), ("suppliers", suppliers)) if n is not None}
        wrong = [f"{name}={count} must be at least 1" for name, count in counts.items() if count < 1]
        if sight not in ("links", "all"):
            wrong.append(f"sight={sight}: expected links or all")
        if targets is not None and asked != "agents":
            wrong.append(f"targets={targets} are agents, and asked={asked}: leave targets out")
        if asked != "agents" and arguments.get("kind") == "firms":
            wrong.append(f"asked={asked} needs prices, which kind=firms has not: give products or economy")
        if suppliers is not None and targets is None:
            wrong.append(f"suppliers={suppliers} draws suppliers of targets: give targets too")
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
        sets = {part: ScenarioSet(scenarios) for part, scenarios in found.items()}
        if self.targets is not None:
            sets["train"] = SampledSet(found["train"], self.hops, self.targets, self.suppliers)
        return sets

    def _planted(self, seed: int, count: int) -> Scenarios:
        if self.kind == "firms":
            made = relation_scenarios(plant_firms(self.num_agents, seed=seed), count, seed)
        elif self.kind == "economy":
            made = price_scenarios(plant_economy(self.num_agents, seed), count, seed)
        else:
            made = price_scenarios(plant_products(self.num_agents, self.depth, seed), count, seed)
        if self.asked != "agents":
            made = made._replace(response=planted_answer(made.graph, made.shocks, made.response, self.asked), law=None)
        if self.shuffle:
            made = made._replace(graph=shuffled(made.graph, seed), law=None)
        if self.sight == "all":
            made = made._replace(graph=with_relations(all_see_all(made.graph), DISTANCES), law=None)
        return made
