"""Who supplies whom, at what share of cost, by which relation.

An agent is its row, not its name: names may repeat. A link runs from a supplier to a buyer; its `shares` say how much
of the buyer's cost it is, one number for each relation (0 where the pair has no such relation). What a buyer's shares
leave of 1 is bought outside the graph.

Axes: n agents, E links, R relations, F features.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int

from zoo.domain.errors import InputError


@dataclass(frozen=True, eq=False)
class SupplyGraph:
    """One graph; each pair (supplier, buyer) once. `features` may have no columns."""

    names: tuple[str, ...]
    supplier: Int[np.ndarray, " E"]
    buyer: Int[np.ndarray, " E"]
    shares: Float[np.ndarray, "E R"]
    relations: tuple[str, ...]
    features: Float[np.ndarray, "n F"]
    feature_names: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.names)

    @cached_property
    def bought(self) -> Float[np.ndarray, "n R"]:
        """Share of each agent's cost that comes from inside the graph, by relation."""
        total = np.zeros((len(self), len(self.relations)))
        np.add.at(total, self.buyer, self.shares)
        return total

    def matrix(self, relation: int | None = None) -> Float[np.ndarray, "n n"]:
        """W: buyers are rows, suppliers columns. Of one relation, or all together."""
        dense = np.zeros((len(self), len(self)))
        dense[self.buyer, self.supplier] = self.shares.sum(1) if relation is None else self.shares[:, relation]
        return dense

    def without(self, links: Sequence[int] | np.ndarray) -> SupplyGraph:
        """The graph after the numbered links were cut; their shares are bought outside."""
        keep = np.ones(len(self.supplier), dtype=bool)
        keep[np.asarray(links, dtype=int)] = False
        return replace(self, supplier=self.supplier[keep], buyer=self.buyer[keep], shares=self.shares[keep])


def build_graph(
    names: Sequence[str],
    supplier: Sequence[int] | np.ndarray,
    buyer: Sequence[int] | np.ndarray,
    relation: Sequence[int] | np.ndarray,
    weight: Sequence[float] | np.ndarray,
    relations: Sequence[str],
    features: np.ndarray | None = None,
    feature_names: Sequence[str] = (),
    source: str = "the graph",
) -> SupplyGraph:
    """From one row for each (supplier, buyer, relation). Raises InputError, naming every kind of mistake at once."""
    n, r = len(names), len(relations)
    supplier, buyer, relation = (np.asarray(x, dtype=np.int64).reshape(-1) for x in (supplier, buyer, relation))
    weight = np.asarray(weight, dtype=float).reshape(-1)
    features = np.zeros((n, 0), dtype=np.float32) if features is None else np.asarray(features, dtype=np.float32)
    mistakes = list(_mistakes(names, supplier, buyer, relation, weight, relations, features, feature_names))
    if mistakes:
        raise InputError(f"{source} cannot be used: {'; '.join(mistakes)}")
    pair, place = np.unique(supplier * n + buyer, return_inverse=True)
    shares = np.zeros((len(pair), r))
    shares[place, relation] = weight
    return SupplyGraph(
        tuple(map(str, names)), pair // n, pair % n, shares, tuple(relations), features, tuple(feature_names)
    )


def as_shares(graph: SupplyGraph) -> SupplyGraph:
    """Weights as shares of cost: the links of a buyer that add up to more than 1 are scaled to 1, others are kept."""
    total = np.maximum(graph.bought.sum(1), 1.0)
    return replace(graph, shares=graph.shares / total[graph.buyer, None])


def _mistakes(names, supplier, buyer, relation, weight, relations, features, feature_names):
    n = len(names)
    if n == 0:
        yield "it has no agents"
        return
    if not len(supplier) == len(buyer) == len(relation) == len(weight):
        yield f"{len(supplier)} suppliers, {len(buyer)} buyers, {len(relation)} relations and {len(weight)} weights"
        return
    outside = (supplier < 0) | (supplier >= n) | (buyer < 0) | (buyer >= n)
    if outside.any():
        first = int(np.flatnonzero(outside)[0])
        yield f"link {first + 1} joins agents {supplier[first]} and {buyer[first]}, and they are numbered 0 to {n - 1}"
        return
    own = np.flatnonzero(supplier == buyer)
    if len(own):
        yield f"{len(own)} self-loops, the first of {names[supplier[own[0]]]!r}: an agent does not supply itself"
    if len(bad := np.flatnonzero(~np.isfinite(weight) | (weight <= 0))):
        yield f"the weight of link {bad[0] + 1} is {weight[bad[0]]}: expected a number above 0"
    if len(relation) and (relation.min() < 0 or relation.max() >= len(relations)):
        yield f"a link has relation {relation.max()}, and they are numbered 0 to {len(relations) - 1}"
    elif unused := sorted(set(range(len(relations))) - set(relation.tolist())):
        yield f"no link has the relation {', '.join(repr(relations[i]) for i in unused)}"
    key = (supplier * n + buyer) * max(1, len(relations)) + relation
    if (twice := len(key) - len(np.unique(key))) > 0:
        yield f"{twice} links are given twice (same supplier, buyer and relation)"
    if features.ndim != 2 or len(features) != n or (feature_names and len(feature_names) != features.shape[1]):
        yield f"features have shape {features.shape}; expected {n} rows and {len(feature_names)} named columns"
    elif len(rows := np.flatnonzero(~np.isfinite(features).all(1))):
        yield f"the features of {names[rows[0]]!r} (row {rows[0] + 1}) hold NaN or infinity"
