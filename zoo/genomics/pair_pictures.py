"""Pictures of motifs that act together: who with whom, and at what spacing."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pandas as pd
from matplotlib import pyplot as plt

from zoo.domain.png import BLUE, GREY, INK, ORANGE, png
from zoo.genomics.cooperation import Cooperation
from zoo.genomics.spacing import MAX_SPACING, WAYS

MOST = 6  # pairs drawn


def spacings(found: Cooperation, table: pd.DataFrame, labels: dict[str, str]) -> bytes:
    """For each pair of `table`, rows of `found`'s: how many pairs of sites stand at each spacing, and how much they
    interact there."""
    pairs, names = found.pairs, found.names
    drawn = table.head(MOST)
    figure, axes = plt.subplots(
        len(drawn), 2, figsize=(9.2, 0.7 + 1.7 * len(drawn)), squeeze=False, layout="constrained", sharex=True
    )
    gaps = np.arange(MAX_SPACING + 1)
    for (count, strength), row in zip(axes, drawn.itertuples(), strict=True):
        a, b = names.index(row.a), names.index(row.b)
        mine = pairs[(pairs.a == a) & (pairs.b == b) & (pairs.way == WAYS.index(row.orientation))]
        for label, colour, text in ((False, GREY, "negatives"), (True, BLUE, "positives")):
            held = np.bincount(mine.spacing[mine.positive == label], minlength=len(gaps))
            count.bar(gaps, held, width=0.9, color=colour, alpha=0.8, label=text)
        count.step(gaps, found.expected[row.a, row.b], where="mid", color=INK, lw=0.9, label="if indifferent")
        count.set_title(f"{labels[row.a]}   {row.orientation}   {labels[row.b]}", loc="left", fontsize=9, color=INK)
        by_gap = mine[mine.positive].groupby("spacing").epistasis.mean().reindex(gaps)
        strength.bar(gaps, by_gap, width=0.9, color=np.where(by_gap > 0, ORANGE, GREY))
        strength.axhline(0, color=INK, lw=0.5)
        strength.set_title(f"spacing {row.spacing}", loc="left", fontsize=9, color=INK)
    axes[0, 0].legend(frameon=False, fontsize=8)
    for ax, text in zip(axes[-1], ("pairs of sites", "interaction in the model, logits"), strict=True):
        ax.set_xlabel("bases between the two sites", fontsize=9)
        axes[0, 0 if text.startswith("pairs") else 1].set_ylabel(text, fontsize=8)
    for ax in axes.ravel():
        ax.tick_params(labelsize=8)
        ax.spines[["top", "right"]].set_visible(False)
    return png(figure)


def network(table: pd.DataFrame, labels: dict[str, str]) -> bytes:
    """Motifs as nodes; orange: they count for more together; grey: one would do. Width: how much."""
    graph = nx.Graph()
    graph.add_nodes_from(labels)
    for row in table.itertuples():
        if row.a != row.b:
            graph.add_edge(row.a, row.b, strength=row.epistasis, together=row.cooperates == "yes")
    size = 2.8 + 0.35 * len(graph)
    figure, axes = plt.subplots(figsize=(size + 1.2, size), layout="constrained")
    place = nx.circular_layout(graph)
    strongest = max((abs(s) for _, _, s in graph.edges(data="strength")), default=1.0) or 1.0
    for together, colour in ((False, GREY), (True, ORANGE)):
        edges = [(a, b) for a, b, t in graph.edges(data="together") if t is together]
        widths = [0.4 + 5 * abs(graph.edges[edge]["strength"]) / strongest for edge in edges]
        nx.draw_networkx_edges(
            graph, place, edges, width=widths, edge_color=colour, alpha=0.9 if together else 0.35, ax=axes
        )
    nx.draw_networkx_nodes(graph, place, node_color=BLUE, node_size=110, ax=axes)
    for name, (x, y) in place.items():
        axes.annotate(
            labels[name], (x, y), (9 if x >= 0 else -9, 9 if y >= 0 else -9), textcoords="offset points",
            ha="left" if x >= 0 else "right", va="center", fontsize=8, color=INK,
        )  # fmt: skip
    axes.margins(0.35, 0.15)
    axes.axis("off")
    return png(figure)
