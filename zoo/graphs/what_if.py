"""What a disruption does to everyone, hop by hop: an agent is shocked or removed, or a relation falls away.

Removed agents and relations sell nothing any more: their links are cut, and buyers get those shares outside.

Axes: n agents, F features.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float

from zoo.domain.errors import InputError
from zoo.graphs.baselines import exact_within
from zoo.graphs.batch import Batch
from zoo.graphs.encodings import direct
from zoo.graphs.graph import SupplyGraph
from zoo.graphs.leontief import hop_distance
from zoo.graphs.links import Links
from zoo.graphs.planted import Law

if TYPE_CHECKING:
    from zoo.graphs.model import PropagationModel

FAR = 200  # hops; more than any series needs


@dataclass(frozen=True)
class Disruption:
    """Of one agent (by number) or one relation (by name). shock: added to the agent's feature `feature`; None removes
    the agent or the relation."""

    agent: int | None = None
    relation: str | None = None
    shock: float | None = None
    feature: int = 0

    def check(self, graph: SupplyGraph, num_features: int) -> None:
        """Raises InputError."""
        if (self.agent is None) == (self.relation is None):
            raise InputError("a disruption is of one agent or of one relation: give exactly one of them")
        if self.agent is not None and not 0 <= self.agent < len(graph):
            raise InputError(f"there is no agent {self.agent}: they are numbered 0 to {len(graph) - 1}")
        if self.relation is not None and self.relation not in graph.relations:
            raise InputError(f"there is no relation {self.relation!r}: there are {', '.join(graph.relations)}")
        if self.relation is not None and self.shock is not None:
            raise InputError(f"the relation {self.relation!r} can be removed but not shocked: give an agent")
        if self.relation is not None and not (graph.shares[:, graph.relations.index(self.relation)] > 0).any():
            raise InputError(f"no link has the relation {self.relation!r}: removing it changes nothing")
        if self.shock is not None and not np.isfinite(self.shock):
            raise InputError(f"shock={self.shock}: expected a number")
        if self.shock is not None and not 0 <= self.feature < num_features:
            raise InputError(f"there is no feature {self.feature}: they are numbered 0 to {num_features - 1}")


@torch.no_grad()
def what_if(
    model: PropagationModel,
    graph: SupplyGraph,
    features: Float[np.ndarray, "n F"],
    disruption: Disruption,
    law: Law | None = None,
) -> pd.DataFrame:
    """One row for each agent: hops from the disruption, response before, after, and the difference; where the law is
    known, the exact difference beside it. Hops go along the links, also where all see all. Agents to which none lead
    have no number of hops."""
    disruption.check(graph, np.shape(features)[-1])
    after_graph, after = graph, np.array(features, dtype=np.float32)
    if disruption.shock is not None:
        after[disruption.agent, disruption.feature] += disruption.shock
    elif disruption.agent is not None:
        after_graph = graph.without(np.flatnonzero(graph.supplier == disruption.agent))
    else:
        kept = graph.shares.copy()
        kept[:, graph.relations.index(disruption.relation)] = 0
        after_graph = replace(graph, shares=kept).without(np.flatnonzero(kept.sum(1) == 0))
    before, now = (respond(model, g, x) for g, x in ((graph, features), (after_graph, after)))
    distance = hop_distance(direct(graph).matrix())
    if disruption.agent is not None:
        hops = distance[:, disruption.agent]
    else:
        hit = np.unique(graph.buyer[graph.shares[:, graph.relations.index(disruption.relation)] > 0])
        hops = distance[:, hit].min(1) + 1
    table = pd.DataFrame({"number": np.arange(len(graph)) + 1, "agent": graph.names})
    table["hops"] = pd.array([pd.NA if np.isinf(h) else int(h) for h in hops], dtype="Int64")
    table["before"], table["after"], table["difference"] = before, now, now - before
    if law is not None:
        exact = [exact_within(g, x[None], FAR, law)[0] for g, x in ((graph, features), (after_graph, after))]
        table["exact"] = exact[1] - exact[0]
    return table


def per_hop(table: pd.DataFrame) -> pd.DataFrame:
    """Of the table of `what_if`: how much arrives at each hop, and how far from the exact answer that is."""
    rows = []
    for hops, part in table.dropna(subset="hops").groupby("hops"):
        row = {"hops": int(hops), "agents": len(part), "difference": part.difference.abs().sum()}
        if "exact" in part:
            row["exact"] = part.exact.abs().sum()
            row["error"] = (part.difference - part.exact).abs().sum()
            row["relative error"] = row["error"] / row["exact"] if row["exact"] > 1e-9 else np.nan
        rows.append(row)
    return pd.DataFrame(rows)


@torch.no_grad()
def respond(model: PropagationModel, graph: SupplyGraph, features: Float[np.ndarray, "*S n F"]) -> np.ndarray:
    """The response of each agent, in one scenario or in several."""
    x = torch.tensor(np.asarray(features), dtype=torch.float32, device=model.device)
    several = x if x.ndim == 3 else x[None]
    links = Links.of([graph]).to(model.device)
    out = model(Batch(several, torch.full_like(several[..., 0], torch.nan), links, (graph,))).cpu().numpy()
    return out if x.ndim == 3 else out[0]
