"""What the attention of a propagation model says: influence, paths, what a disruption does, and what each head listens
to, each beside the exact answer where it is known.

An influence is believed where taking it away confirms it: the agent's features are set to zero, and the buyer's
response must change as ranked.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd
import pytorch_lightning as pl
import torch
from jaxtyping import Float
from scipy.stats import spearmanr
from torch.utils.data import DataLoader

from zoo.domain.insight import Figure, Insight, Table
from zoo.graphs import pictures
from zoo.graphs.encodings import direct
from zoo.graphs.graph import SupplyGraph
from zoo.graphs.influence import MOST_COPIES, Influence, Path, alone, influence, strongest_paths
from zoo.graphs.leontief import hop_distance, total_requirements, within_hops
from zoo.graphs.page import render_page
from zoo.graphs.planted import Scenarios
from zoo.graphs.relation_heads import mass_by_relation, purity
from zoo.graphs.what_if import Disruption, per_hop, respond, what_if

if TYPE_CHECKING:
    from zoo.graphs.model import PropagationModel

EXAMPLES = 8  # graphs that are looked into
SUPPLIERS, PATHS = 10, 8


class Agreement(NamedTuple):
    """With the exact total requirements, over all pairs of agents that are 1 to L hops apart."""

    gradient: float
    attention: float
    beyond: float  # largest |gradient| beyond L hops


def explain(model: PropagationModel, data: pl.LightningDataModule | DataLoader) -> Insight:
    """Of the first graphs of the test part, or of a person's own."""
    loader = data if isinstance(data, DataLoader) else data.test_dataloader()
    model.eval()
    examples = loader.dataset.scenarios[:EXAMPLES]
    found = [influence(model, e.graph) for e in examples]
    first, seen = examples[0], found[0]
    graph, hops = first.graph, len(model.backbone.blocks)
    target = int(np.abs(seen.effect).sum(1).argmax())
    heads, changed = _heads(model, examples, found), deletion(model, first)
    disrupted, shocked = _disruption(model, first, seen)
    lines, scores = _told(examples, found, heads, _confirmed(graph, seen, changed))
    paths = strongest_paths(seen, graph, target, PATHS)
    tables = (
        Table(
            "suppliers",
            f"Who matters to {graph.names[target]}",
            _suppliers(first, seen, target, changed),
            SUPPLIERS_SAY,
        ),
        Table("paths", f"Paths to {graph.names[target]}", _paths(model, graph, paths), PATHS_SAY),
        Table(
            "disruption", f"A shock of 1 to {shocked}, which matters most, by hop", per_hop(disrupted), DISRUPTION_SAYS
        ),
        Table("heads", "What each head listens to", _head_table(heads, graph.relations, found), HEADS_SAY),
    )
    files = {
        "what_if.csv": disrupted.to_csv(index=False),
        "influence.csv": _edge_list(graph, seen).to_csv(index=False),
        "influence.html": render_page(graph, seen),
    }
    return Insight("\n".join(lines), tables, _figures(first, seen, target, heads, hops), files, scores)


def _told(
    examples: Sequence[Scenarios], found: Sequence[Influence], heads: np.ndarray, confirmed: float
) -> tuple[list[str], dict[str, float]]:
    """The headline's lines, and the numbers worth following."""
    graph = examples[0].graph
    scores = {"deletion_rank_correlation": confirmed}
    lines = [f"{len(graph)} agents, {len(graph.supplier)} links; the model reaches {len(found[0].weights)} hops."]
    agreement = [agree(s, e) for s, e in zip(found, examples, strict=True) if e.law == "prices"]
    if agreement:
        means = Agreement(*np.mean(agreement, 0))
        scores |= {"gradient_correlation": means.gradient, "attention_correlation": means.attention}
        lines.append(
            f"With the exact total requirements within reach: r = {means.gradient:.3f} by gradient, "
            f"{means.attention:.3f} by attention along paths (mean of {len(agreement)} graphs); beyond reach the "
            f"gradient is at most {max(a.beyond for a in agreement):.1g}."
        )
    if len(graph.relations) > 1:
        scores["purity"] = float(purity(torch.from_numpy(heads)).mean())
        lines.append(f"Heads keep to one relation with {scores['purity']:.2f} of their attention between agents.")
    lines.append(f"Ranked by attention and taken away one by one: rank correlation {confirmed:.2f} with the change.")
    return lines, scores


SUPPLIERS_SAY = (
    "Hops: fewest links between them. Attention: multiplied along all paths. Gradient: change of the response for a "
    "shock of 1, of the kind that acts most. Taken away: mean change of the response over the scenarios when the "
    "agent's features are set to zero."
)
PATHS_SAY = (
    "Attention along the path; effect of a shock of 1 at its end when all other links are cut, to the feature named, "
    "which then acts most; shares multiplied."
)
DISRUPTION_SAYS = (
    "Sums of absolute changes, of agents to which links lead. The exact answer, where it is known, goes on beyond the "
    "model's hops."
)
HEADS_SAY = "Share of each head's attention between agents, by relation; and of attention x gradient, by head."
GRAPH_SAYS = "Supply runs along the arrows, wider where attention is stronger; darker agents have more effect."


def agree(found: Influence, scenarios: Scenarios) -> Agreement:
    w, hops = scenarios.graph.matrix(), len(found.weights)
    distance = hop_distance(w)
    exact = within_hops(w, hops)
    near = (distance >= 1) & (distance <= hops)
    far = distance > hops
    return Agreement(
        float(np.corrcoef(found.gradient[..., 0][near], exact[near])[0, 1]),
        float(np.corrcoef(found.attention[near], exact[near])[0, 1]),
        float(np.abs(found.gradient[far]).max(initial=0.0)),
    )


def _confirmed(graph: SupplyGraph, found: Influence, changed: Float[np.ndarray, "n n"]) -> float:
    """Spearman correlation, over all pairs that links join within the model's hops, of attention along paths with what
    deletion changes."""
    distance = hop_distance(direct(graph).matrix())
    near = (distance >= 1) & (distance <= len(found.weights))
    return float(spearmanr(found.attention[near], changed[near]).statistic) if near.sum() > 2 else float("nan")


def deletion(model: PropagationModel, scenarios: Scenarios, most: int = 8) -> Float[np.ndarray, "n n"]:
    """[i, j]: mean |change of i's response| when j's features are zero, over the first scenarios."""
    n, shocks = len(scenarios.graph), scenarios.shocks[:most]
    changed = np.zeros((n, n))
    for features in shocks:
        whole = respond(model, scenarios.graph, features)
        for start in range(0, n, MOST_COPIES):
            lacking = np.arange(start, min(start + MOST_COPIES, n))  # one agent in each copy
            without = np.repeat(features[None], len(lacking), 0)
            without[np.arange(len(lacking)), lacking] = 0
            changed[:, lacking] += np.abs(respond(model, scenarios.graph, without) - whole).T / len(shocks)
    return changed


def _heads(model: PropagationModel, examples: Sequence[Scenarios], found: Sequence[Influence]) -> np.ndarray:
    """Attention between agents by relation, [H, R], over layers and graphs."""
    gates = model.encoder.relation_heads.gates.detach().cpu()
    masses = [
        mass_by_relation(torch.from_numpy(s.weights.sum(0)).float(), torch.from_numpy(e.graph.shares).float(), gates)
        for e, s in zip(examples, found, strict=True)
    ]
    return torch.stack(masses).sum(0).numpy()


def _head_table(mass: np.ndarray, relations: tuple[str, ...], found: Sequence[Influence]) -> pd.DataFrame:
    share = mass / np.maximum(mass.sum(1, keepdims=True), 1e-12)
    table = pd.DataFrame(share, columns=list(relations))
    table.insert(0, "head", range(len(table)))
    table["share of attention x gradient"] = np.mean([s.parts.sum(0) for s in found], 0)
    return table


def _suppliers(scenarios: Scenarios, found: Influence, target: int, changed: np.ndarray) -> pd.DataFrame:
    graph = scenarios.graph
    seen = np.isfinite(hop_distance(graph.matrix())[target])
    order = [j for j in np.argsort(-found.attention[target]) if j != target and seen[j]][:SUPPLIERS]
    hops = hop_distance(direct(graph).matrix())[target, order]
    table = pd.DataFrame({"supplier": [graph.names[j] for j in order], "number": np.array(order, dtype=int) + 1})
    table["hops"] = pd.array([pd.NA if np.isinf(h) else int(h) for h in hops], dtype="Int64")
    table["attention"] = found.attention[target, order]
    table["gradient"] = found.effect[target, order]
    table["taken away"] = changed[target, order]
    if scenarios.law == "prices":
        table["exact"] = total_requirements(graph.matrix())[target, order]
    return table


def _paths(model: PropagationModel, graph: SupplyGraph, paths: Sequence[Path]) -> pd.DataFrame:
    kinds = np.array(graph.relations)[graph.shares.argmax(1)] if len(graph.supplier) else np.array([])
    effects = [alone(model, graph, p) for p in paths]
    strongest = [int(np.abs(effect).argmax()) for effect in effects]
    return pd.DataFrame(
        {
            "path": [" <- ".join(graph.names[a] for a in p.agents) for p in paths],
            "relations": [", ".join(kinds[list(p.links)]) for p in paths],
            "attention": [p.score for p in paths],
            "effect alone": [float(effect[k]) for effect, k in zip(effects, strongest, strict=True)],
            "feature": [model.features[k] for k in strongest],
            "shares multiplied": [float(graph.shares.sum(1)[list(p.links)].prod()) for p in paths],
        }
    )


def _disruption(model: PropagationModel, scenarios: Scenarios, found: Influence) -> tuple[pd.DataFrame, str]:
    """Of the agent and the feature with the largest effects, and which they are."""
    strength = np.abs(found.gradient).sum(0)
    agent, feature = (int(k) for k in np.unravel_index(strength.argmax(), strength.shape))
    disruption = Disruption(agent, shock=1.0, feature=feature)
    table = what_if(model, scenarios.graph, scenarios.shocks[0], disruption, scenarios.law)
    return table, f"{model.features[feature]!r} of {scenarios.graph.names[agent]}"


def _figures(scenarios: Scenarios, found: Influence, target: int, heads: np.ndarray, hops: int) -> tuple[Figure, ...]:
    graph = scenarios.graph
    mean = np.einsum("lh,lhe->e", found.parts, found.weights)
    drawn = pictures.draw_graph(graph, mean, found.effect[target], target)
    says = f"{GRAPH_SAYS} The ringed agent is {graph.names[target]}."
    if len(graph.supplier) > pictures.DRAWN:
        says += f" Of {len(graph.supplier)} links the {pictures.DRAWN} with the most attention are drawn."
    figures = [Figure("graph", "The graph", drawn, says)]
    if len(graph.relations) > 1:
        figures.append(Figure("heads", "Heads and relations", pictures.draw_heads(heads, graph.relations)))
    if scenarios.law == "prices":
        w = graph.matrix()
        distance = hop_distance(w)
        near = (distance >= 1) & np.isfinite(distance)
        agreement = pictures.draw_agreement(found.gradient[..., 0][near], total_requirements(w)[near], distance[near])
        figures.append(Figure("agreement", "Effects, learned and exact", agreement, f"The model has {hops} hops."))
    return tuple(figures)


def _edge_list(graph: SupplyGraph, found: Influence) -> pd.DataFrame:
    """Everyone's influence on everyone, where there is any."""
    buyer, supplier = np.nonzero(np.abs(found.gradient).max(-1))
    return pd.DataFrame(
        {
            "buyer": np.array(graph.names)[buyer],
            "buyer number": buyer + 1,
            "supplier": np.array(graph.names)[supplier],
            "supplier number": supplier + 1,
            "gradient": found.effect[buyer, supplier],
            "attention": found.attention[buyer, supplier],
        }
    )
