"""Figures about heads, as PNG bytes."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt

from zoo.domain.png import INK, png


def heat_table(table: pd.DataFrame, column: str, title: str) -> bytes:
    """A column of the table as layers x heads."""
    grid = table.pivot(index="layer", columns="head", values=column).reindex(table.layer.unique())
    values = grid.to_numpy(float)
    lowest, highest = np.nanmin(values), np.nanmax(values)
    signed = lowest < 0 < highest
    limit = max(abs(lowest), abs(highest))
    figure, axes = plt.subplots(figsize=(2.6 + 0.55 * grid.shape[1], 0.9 + 0.42 * len(grid)), layout="constrained")
    image = axes.imshow(
        values,
        cmap="RdBu_r" if signed else "Blues",
        vmin=-limit if signed else min(lowest, 0),
        vmax=limit if signed else highest,
        aspect="auto",
    )
    for i, j in np.argwhere(~np.isnan(values)):
        dark = image.norm(values[i, j]) > 0.6 if not signed else abs(image.norm(values[i, j]) - 0.5) > 0.33
        axes.text(j, i, f"{values[i, j]:.2g}", ha="center", va="center", fontsize=7, color="white" if dark else INK)
    axes.set_xticks(range(grid.shape[1]), grid.columns, fontsize=8)
    axes.set_yticks(range(len(grid)), map(_short, grid.index), fontsize=8)
    axes.set_xlabel("head", fontsize=9)
    axes.set_title(title, fontsize=9, loc="left", color=INK)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    return png(figure)


def alike(cka: pd.DataFrame, clusters: list[int]) -> bytes:
    """CKA between heads, in the order of their clusters; a line between clusters."""
    order = np.argsort(clusters, kind="stable")
    values = cka.to_numpy()[np.ix_(order, order)]
    names = [_short(cka.index[i]) for i in order]
    size = max(3.2, 0.24 * len(names) + 1.6)
    figure, axes = plt.subplots(figsize=(size + 0.6, size), layout="constrained")
    image = axes.imshow(values, cmap="Blues", vmin=0, vmax=1)
    for edge in np.flatnonzero(np.diff(np.asarray(clusters)[order])) + 0.5:
        axes.axhline(edge, color="white", lw=1.5)
        axes.axvline(edge, color="white", lw=1.5)
    axes.set_xticks(range(len(names)), names, rotation=90, fontsize=6)
    axes.set_yticks(range(len(names)), names, fontsize=6)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    bar = figure.colorbar(image, ax=axes, shrink=0.6)
    bar.set_label("unbiased CKA", fontsize=8)
    bar.ax.tick_params(labelsize=7)
    bar.outline.set_visible(False)
    return png(figure)


def _short(layer: str) -> str:
    """ "backbone.blocks.0.attention 3" -> "blocks.0 3": what all names share says nothing."""
    return layer.removeprefix("backbone.").replace(".attention", "")
