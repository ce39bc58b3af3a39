"""A graph drawn in the direction of supply, heads by relation, and effects by hop, as PNG bytes."""

from __future__ import annotations

import networkx as nx
import numpy as np
from jaxtyping import Float
from matplotlib import pyplot as plt
from matplotlib.patheffects import withStroke

from zoo.domain.png import BLUE, GREY, INK, ORANGE, png
from zoo.graphs.graph import SupplyGraph

LABELLED = 45  # agents; names of more would cover each other
EVENLY = 150  # agents; laying out by distance takes n^2
DRAWN = 150  # links, those with the most attention; more would be a ball of wool


def layout(graph: SupplyGraph) -> Float[np.ndarray, "n 2"]:
    """Suppliers left of buyers where there is no circle; else by distance (Kamada & Kawai 1989), or by springs if there
    are too many."""
    net = nx.DiGraph()
    net.add_nodes_from(range(len(graph)))
    net.add_edges_from(zip(graph.supplier.tolist(), graph.buyer.tolist(), strict=True))
    if nx.is_directed_acyclic_graph(net):
        place = np.zeros((len(graph), 2))
        for column, tier in enumerate(nx.topological_generations(net)):
            for row, agent in enumerate(tier):
                place[agent] = column, (row + 0.5 + 0.25 * (column % 2)) / (len(tier) + 0.5)
        return place
    spots = nx.kamada_kawai_layout(net.to_undirected()) if len(graph) <= EVENLY else nx.spring_layout(net, seed=0)
    return np.array([spots[i] for i in range(len(graph))])


def draw_graph(
    graph: SupplyGraph,
    attention: Float[np.ndarray, " E"],
    effect: Float[np.ndarray, " n"] | None = None,
    target: int | None = None,
) -> bytes:
    """The strongest links, as wide as their attention; agents as dark as their effect on `target`, which is ringed."""
    place = layout(graph)
    tallest = np.unique(place[:, 0], return_counts=True)[1].max()
    height = max(3.2, 0.42 * tallest) if tallest > 1 and len(graph) <= LABELLED else 6.5
    figure, axes = plt.subplots(figsize=(9.5, height), layout="constrained")
    strength = attention / max(attention.max(initial=0), 1e-12)
    for e in np.argsort(strength)[-DRAWN:]:
        s, b, w = graph.supplier[e], graph.buyer[e], strength[e]
        axes.annotate(
            "", place[b], place[s],
            arrowprops={"arrowstyle": "-|>", "color": BLUE, "alpha": 0.15 + 0.75 * w, "lw": 0.3 + 2.7 * w,
                        "shrinkA": 7, "shrinkB": 7, "mutation_scale": 8},
        )  # fmt: skip
    shade = np.zeros(len(graph)) if effect is None else np.abs(effect) / max(np.abs(effect).max(), 1e-12)
    ring = [ORANGE if i == target else INK for i in range(len(graph))]
    width = [2.4 if i == target else 0.6 for i in range(len(graph))]
    axes.scatter(*place.T, c=shade, cmap="Oranges", vmin=0, vmax=1.2, s=90, edgecolors=ring, linewidths=width, zorder=3)
    if len(graph) <= LABELLED:
        for (x, y), name in zip(place, graph.names, strict=True):
            label = axes.annotate(
                name, (x, y), (0, 8), textcoords="offset points", fontsize=6.5, ha="center", color=INK
            )
            label.set_path_effects([withStroke(linewidth=2, foreground="white")])
    axes.margins(0.06, 0.1)
    axes.axis("off")
    return png(figure)


def draw_heads(mass: Float[np.ndarray, "H R"], relations: tuple[str, ...]) -> bytes:
    """Share of each head's attention between agents that goes along each relation."""
    share = mass / np.maximum(mass.sum(1, keepdims=True), 1e-12)
    figure, axes = plt.subplots(figsize=(1.8 + 1.0 * share.shape[1], 0.9 + 0.42 * len(share)), layout="constrained")
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for h, r in np.ndindex(*share.shape):
        dark = share[h, r] > 0.6
        axes.text(r, h, f"{share[h, r]:.2f}", ha="center", va="center", fontsize=8, color="white" if dark else INK)
    axes.set_xticks(range(len(relations)), relations, fontsize=8)
    axes.set_yticks(range(len(share)), [f"head {h}" for h in range(len(share))], fontsize=8)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    return png(figure)


def draw_agreement(
    model: Float[np.ndarray, " m"], exact: Float[np.ndarray, " m"], hops: Float[np.ndarray, " m"]
) -> bytes:
    """The model's effects against the exact ones, by hop."""
    figure, axes = plt.subplots(figsize=(4.6, 4.2), layout="constrained")
    colours = plt.get_cmap("viridis")
    last = max(1, int(hops.max(initial=1)))
    for k in range(1, last + 1):
        there = hops == k
        axes.scatter(exact[there], model[there], s=9, color=colours((k - 1) / max(1, last - 1)), label=f"{k}", lw=0)
    limit = max(exact.max(initial=0), model.max(initial=0)) * 1.05 + 1e-9
    axes.plot([0, limit], [0, limit], color=GREY, lw=0.8, zorder=0)
    axes.set_xlabel("total requirement, exact", fontsize=9)
    axes.set_ylabel("the model's effect", fontsize=9)
    axes.legend(title="hops", fontsize=8, title_fontsize=8, frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8)
    return png(figure)
