"""Figures of the genomics insight, as PNG bytes."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt

from zoo.domain.png import BLUE, GREY, INK, png
from zoo.genomics.motifs import Sites


def _png(figure) -> bytes:
    for axes in figure.axes:
        axes.spines[["top", "right"]].set_visible(False)
    return png(figure)


def positions(positive: Sites, negative: Sites, names: dict[str, str], length: int, n_pos: int, n_neg: int) -> bytes:
    """Where the centres of each motif's sites lie, per sequence and base: positives filled, negatives as an outline."""
    figure, rows = plt.subplots(
        len(names), 1, figsize=(7.2, 0.6 + 1.25 * len(names)), sharex=True, squeeze=False, layout="constrained"
    )
    width = 1 if length <= 120 else max(1, round(length / 100))
    bins = np.arange(0, length + width, width)
    for axes, (name, label) in zip(rows[:, 0], names.items(), strict=True):
        for sites, n, text, style in (
            (positive, n_pos, "positives", {"color": BLUE, "fill": True, "alpha": 0.6}),
            (negative, n_neg, "negatives", {"color": INK, "lw": 1.0}),
        ):
            mine = np.array(sites.motif, dtype=object) == name
            centre = (sites.start[mine] + sites.end[mine]) / 2
            height, _ = np.histogram(centre, bins)
            axes.stairs(height / max(1, n) / width, bins, label=text, **style)
        axes.set_title(label, loc="left", fontsize=9, color=INK)
        axes.tick_params(labelsize=8)
        axes.set_ylim(bottom=0)
    figure.legend(
        *rows[0, 0].get_legend_handles_labels(), frameon=False, fontsize=8, ncols=2, loc="outside upper right"
    )
    rows[-1, 0].set_xlabel("position of the site's centre in the sequence (bases from its start)", fontsize=9)
    figure.supylabel("sites per sequence and base", fontsize=9)
    return _png(figure)


def mean_evidence(positive: np.ndarray, negative: np.ndarray) -> bytes:
    """Mean attention x gradient at each position; [N, L], zero outside a sequence."""
    figure, axes = plt.subplots(figsize=(7.2, 2.4), layout="constrained")
    for track, colour, label in ((negative, GREY, "negatives"), (positive, BLUE, "positives")):
        present = np.maximum(1, (track != 0).sum(0))  # sequences that reach so far
        axes.plot(track.sum(0) / present, color=colour, lw=1.3, label=label)
    axes.axhline(0, color=INK, lw=0.5)
    axes.set_xlabel("position in the sequence (bases from its start)", fontsize=9)
    axes.set_ylabel("attention x gradient", fontsize=9)
    axes.tick_params(labelsize=8)
    axes.legend(frameon=False, fontsize=8)
    return _png(figure)


def site_coverage(table: pd.DataFrame) -> bytes:
    """Bars: share of sequences whose best window holds a known site."""
    figure, axes = plt.subplots(figsize=(5.6, 0.5 + 0.42 * len(table)), layout="constrained")
    order = table.iloc[::-1]
    colours = [GREY if name == "random window" else BLUE for name in order.evidence]
    bars = axes.barh(order.evidence, order.coverage, color=colours, height=0.62)
    axes.bar_label(bars, [f"{v:.0%}" for v in order.coverage], padding=4, fontsize=9)
    axes.set_xlim(0, 1.08)
    axes.set_xticks([0, 0.5, 1], ["0", "50 %", "100 %"])
    axes.tick_params(labelsize=9, length=0)
    axes.set_xlabel(f"best window covers a known site ({int(table.sequences.iloc[0])} sequences)", fontsize=9)
    return _png(figure)


def heads(table: pd.DataFrame, names: dict[str, str]) -> bytes:
    """Heads by motifs: how many times denser a head's evidence is inside a motif's sites than over the sequences."""
    values = table[list(names)].to_numpy(dtype=float)
    figure, axes = plt.subplots(figsize=(2.6 + 0.9 * len(names), 0.9 + 0.3 * len(table)), layout="constrained")
    top = max(2.0, np.nanmax(values)) if np.isfinite(values).any() else 2.0
    image = axes.imshow(values, cmap="Blues", vmin=0, vmax=top, aspect="auto")
    for (i, j), value in np.ndenumerate(values):
        if np.isfinite(value):
            axes.text(
                j, i, f"{value:.1f}", ha="center", va="center", fontsize=8, color="white" if value > 0.6 * top else INK
            )
    axes.set_xticks(range(len(names)), names.values(), rotation=25, ha="right", fontsize=8)
    axes.set_yticks(range(len(table)), [f"{r.layer}  head {r.head + 1}" for r in table.itertuples()], fontsize=8)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    bar = figure.colorbar(image, ax=axes, shrink=0.8)
    bar.set_label("times the mean over the sequence", fontsize=8)
    bar.outline.set_visible(False)
    return _png(figure)
