"""Chains whose answer is known.

    products   a bill of materials: raw materials in tier 0, each product of tier t made of some of tier t - 1.
               A supplier's cost shock s reaches its buyers' prices: p = W p + s, so that p = (I - W)^-1 s.
    economy    sectors that buy from nearly all others, labour, taxes and capital (an input-output table).
    firms      R kinds of relation, each of which carries one kind of shock and no other:
               cost_i = sum_r sum_j W^r_ij s_j^r. Whoever mixes the kinds mixes in the other shocks.

In a bill of materials by tiers all ways between two products are equally long, so the ceiling of
`zoo.graphs.leontief` is what a perfect model reaches. Axes: n agents, S scenarios, R relations.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float

from zoo.graphs.graph import SupplyGraph, build_graph
from zoo.graphs.leontief import total_requirements

ECONOMY = ("materials", "labour", "taxes", "capital")
Law = Literal["prices", "relations"]


class Scenarios(NamedTuple):
    """Shocks to every agent and what they add to each agent's price beyond its own shock; NaN where unknown.

    law: how the response came about, where that is known.
    """

    graph: SupplyGraph
    shocks: Float[np.ndarray, "S n F"]
    response: Float[np.ndarray, "S n"]
    law: Law | None = None


def plant_products(num_products: int = 30, depth: int = 5, seed: int = 0) -> SupplyGraph:
    """A bill of materials of `depth` + 1 tiers. Each product has one or two parts, at 85 to 99 % of its cost."""
    draw = np.random.default_rng(seed)
    tier = np.sort(np.concatenate([np.arange(depth + 1), draw.integers(0, depth + 1, num_products - depth - 1)]))
    supplier, buyer, weight = [], [], []
    for product in np.flatnonzero(tier > 0):
        below = np.flatnonzero(tier == tier[product] - 1)
        parts = draw.choice(below, size=min(len(below), int(draw.integers(1, 3))), replace=False)
        supplier += parts.tolist()
        buyer += [product] * len(parts)
        weight += (draw.dirichlet(np.full(len(parts), 2.0)) * draw.uniform(0.85, 0.99)).tolist()
    names = [f"{'raw' if t == 0 else 'part' if t < depth else 'product'} {i + 1}" for i, t in enumerate(tier)]
    return build_graph(names, supplier, buyer, np.zeros(len(supplier)), weight, ("is part of",), source="planted")


def plant_firms(num_firms: int = 30, num_relations: int = 3, degree: int = 2, seed: int = 0) -> SupplyGraph:
    """Firms with `degree` suppliers of each kind, no pair joined twice; each kind is up to a third of the cost."""
    draw = np.random.default_rng(seed)
    rows = []
    for firm in range(num_firms):
        others = np.setdiff1d(np.arange(num_firms), [firm])
        chosen = draw.choice(others, size=num_relations * degree, replace=False).reshape(num_relations, degree)
        for kind, suppliers in enumerate(chosen):
            shares = draw.dirichlet(np.full(degree, 2.0)) * draw.uniform(0.6, 0.98) / num_relations
            rows += [(s, firm, kind, w) for s, w in zip(suppliers, shares, strict=True)]
    supplier, buyer, relation, weight = zip(*rows, strict=True)
    kinds = ("materials", "services", "energy", "credit", "transport")[:num_relations]
    kinds += tuple(f"relation {i + 1}" for i in range(len(kinds), num_relations))
    return build_graph(
        [f"firm {i + 1}" for i in range(num_firms)], supplier, buyer, relation, weight, kinds, source="planted"
    )


def plant_economy(num_sectors: int = 30, seed: int = 0) -> SupplyGraph:
    """Sectors that nearly all buy from each other in very unequal shares, and from labour, taxes and capital: the shape
    of an input-output table, with no number from a real one."""
    draw = np.random.default_rng(seed)
    rows = []
    for sector in range(num_sectors):
        others = np.setdiff1d(np.arange(num_sectors), [sector])
        some = draw.choice(others, max(1, int(draw.uniform(0.6, 1) * len(others))), replace=False)
        shares = np.exp(draw.normal(0, 2, len(some)))
        material = draw.uniform(0.1, 0.75)
        rows += [(s, sector, 0, w) for s, w in zip(some, shares / shares.sum() * material, strict=True)]
        paid = draw.dirichlet([4, 0.5, 3]) * (1 - material)
        rows += [(num_sectors + k, sector, k + 1, w) for k, w in enumerate(paid)]
    supplier, buyer, relation, weight = zip(*rows, strict=True)
    names = [*(f"sector {i + 1}" for i in range(num_sectors)), *ECONOMY[1:]]
    return build_graph(names, supplier, buyer, relation, np.maximum(weight, 1e-6), ECONOMY, source="planted")


def price_scenarios(graph: SupplyGraph, count: int, seed: int = 0) -> Scenarios:
    """Independent normal cost shocks to all agents, and p - s for p = W p + s."""
    shocks = np.random.default_rng(seed).normal(size=(count, len(graph)))
    response = shocks @ (total_requirements(graph.matrix()) - np.eye(len(graph))).T
    return Scenarios(graph, shocks[..., None].astype(np.float32), response.astype(np.float32), "prices")


def relation_scenarios(graph: SupplyGraph, count: int, seed: int = 0) -> Scenarios:
    """One kind of shock for each relation, which that relation alone passes on, one hop far."""
    kinds = range(len(graph.relations))
    shocks = np.random.default_rng(seed).normal(size=(count, len(graph), len(kinds)))
    response = sum(shocks[..., r] @ graph.matrix(r).T for r in kinds)
    return Scenarios(graph, shocks.astype(np.float32), response.astype(np.float32), "relations")


def shuffled(graph: SupplyGraph, seed: int = 0) -> SupplyGraph:
    """The control: the same links, but each agent stands where another stood."""
    place = np.random.default_rng(seed).permutation(len(graph))
    pair = np.lexsort((place[graph.buyer], place[graph.supplier]))
    return replace(
        graph, supplier=place[graph.supplier][pair], buyer=place[graph.buyer][pair], shares=graph.shares[pair]
    )
