"""Figures of the protein insight, as PNG bytes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from zoo.domain.png import BLUE, GREY, INK, ORANGE, png
from zoo.proteins.batch import LEAST_SEPARATION
from zoo.proteins.contacts import Native
from zoo.proteins.precision import RANGES

BINS = 10
LONG = RANGES["long"][0]


def contact_map(
    probability: Float[np.ndarray, "L L"],
    title: str,
    kept: Sequence[int],
    native: Native | None = None,
    unit: str = "column",
) -> bytes:
    """Above the diagonal the probabilities; below, the best L pairs: blue if in contact, orange if not, and the native
    contacts in grey. Without a structure the map alone. kept: each column's number, from 0; the axes count from 1."""
    length = len(probability)
    number = np.asarray(kept) + 1
    figure, axes = plt.subplots(figsize=(5.4, 5.2), layout="constrained")
    shown = np.where(np.triu(np.ones_like(probability), LEAST_SEPARATION) > 0, probability, np.nan)
    if native is None:
        shown = np.where(
            np.abs(np.subtract.outer(range(length), range(length))) >= LEAST_SEPARATION, probability, np.nan
        )
    most = max(0.2, float(np.nanmax(shown)))
    first, last = int(number[0]), int(number[-1])
    spread = np.full((last - first + 1,) * 2, np.nan)  # with the columns that were left out, blank
    spread[np.ix_(number - first, number - first)] = shown
    extent = (first - 0.5, last + 0.5, last + 0.5, first - 0.5)
    image = axes.imshow(spread, cmap="Greys", vmin=0, vmax=most, extent=extent, interpolation="nearest")
    if native is not None:
        _overlay(axes, probability, native, number)
        legend_below(figure, axes, markerscale=2)
    bar = figure.colorbar(image, ax=axes, shrink=0.8)
    bar.set_label("probability of contact", fontsize=8)
    axes.set_title(title, loc="left", fontsize=9, color=INK)
    axes.set_xlabel(unit, fontsize=8)
    axes.tick_params(labelsize=7)
    return png(figure)


def _overlay(axes: Axes, probability: np.ndarray, native: Native, number: Int[np.ndarray, " L"]) -> None:
    length = len(probability)
    counted = np.tril(np.ones((length, length), dtype=bool), -LEAST_SEPARATION)
    touching = np.argwhere(native.contact & counted)
    axes.scatter(*number[touching.T[::-1]], s=7, marker="s", color=GREY, linewidths=0, label="native contact")
    i, j, right = _best_pairs(probability, native, LEAST_SEPARATION, native.num_resolved)
    for mine, colour, label in ((right, BLUE, "predicted, in contact"), (~right, ORANGE, "predicted, not")):
        axes.scatter(number[j[mine]], number[i[mine]], s=5, color=colour, linewidths=0, label=label)


def legend_below(figure: Figure, axes: Axes, **more: float) -> None:
    """Where it covers nothing."""
    figure.legend(
        *axes.get_legend_handles_labels(), fontsize=7, loc="outside lower left", ncols=3, frameon=False, **more
    )


def _best_pairs(
    probability: np.ndarray, native: Native, separation: int, top: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """i > j of the best pairs, so many residues apart and more, and whether each is a contact."""
    i, j = np.nonzero(np.tril(native.known & (native.separation >= separation), -1))
    best = np.argsort(-probability[i, j], kind="stable")[:top]
    return i[best], j[best], native.contact[i[best], j[best]]


def in_space(probability: Float[np.ndarray, "L L"], title: str, native: Native) -> bytes:
    """The chain through the structure's C-betas, smoothed, from where it is broadest, fainter the farther behind; the
    best L / 2 long-range pairs as lines between them: blue if in contact, orange if not."""
    seen = ~np.isnan(native.beta).any(1)
    centred = native.beta - native.beta[seen].mean(0)
    _, _, axes_of = np.linalg.svd(centred[seen], full_matrices=False)
    axes_of[1] *= np.sign(np.linalg.det(axes_of))  # turned, never mirrored: the third axis looks at us
    turned = centred @ axes_of.T
    turned = smoothed(turned)
    place, depth = turned[:, :2], turned[:, 2]
    near = (depth - np.nanmin(depth)) / (np.ptp(depth[seen]) or 1.0)  # 0 behind, 1 in front
    figure, axes = plt.subplots(figsize=(5.4, 5.2), layout="constrained")
    steps = np.stack([place[:-1], place[1:]], axis=1)
    joined = ~np.isnan(steps).any((1, 2))  # a line breaks where a residue was not seen
    colours = plt.get_cmap("viridis")(np.linspace(0, 1, len(place)))
    colours[:, 3] = 0.3 + 0.7 * np.nan_to_num(near)
    order = np.flatnonzero(joined)[np.argsort(depth[:-1][joined])]  # what is in front is drawn last
    axes.add_collection(LineCollection(steps[order], colors=colours[order], linewidths=3, capstyle="round", zorder=2))
    axes.update_datalim(place[seen])
    i, j, right = _best_pairs(probability, native, LONG, native.num_resolved // 2)
    for mine, colour, label in ((right, BLUE, "predicted, in contact"), (~right, ORANGE, "predicted, not")):
        ends = np.stack([place[i[mine]], place[j[mine]], np.full((int(mine.sum()), 2), np.nan)], axis=1).reshape(-1, 2)
        axes.plot(*ends.T, color=colour, lw=0.7, alpha=0.7, zorder=1, label=f"{label} ({int(mine.sum())})")
    axes.set_aspect("equal", adjustable="datalim")
    axes.set_axis_off()
    axes.autoscale_view()
    axes.set_title(title, loc="left", fontsize=9, color=INK)
    legend_below(figure, axes)
    return png(figure)


def smoothed(place: Float[np.ndarray, "L 3"]) -> Float[np.ndarray, "L 3"]:
    """Each C-beta's mean with those up to two before and behind it that were seen: side chains point to and fro."""
    around = np.pad(place, ((2, 2), (0, 0)), constant_values=np.nan)
    windows = np.stack([around[i : i + len(place)] for i in range(5)])
    there = ~np.isnan(windows)
    mean = np.where(there, windows, 0).sum(0) / np.maximum(there.sum(0), 1)
    return np.where(np.isnan(place), np.nan, mean)


def reliability(probability: Float[np.ndarray, " pairs"], contact: np.ndarray) -> bytes:
    """Of pairs with a predicted probability, how many touch: on the diagonal where probabilities mean what they say."""
    edges = np.linspace(0, 1, BINS + 1)
    which = np.clip(np.digitize(probability, edges) - 1, 0, BINS - 1)
    said, true, count = [], [], []
    for b in range(BINS):
        mine = which == b
        if mine.sum() >= 20:
            said.append(probability[mine].mean())
            true.append(contact[mine].mean())
            count.append(int(mine.sum()))
    figure, axes = plt.subplots(figsize=(3.6, 3.4), layout="constrained")
    axes.plot([0, 1], [0, 1], color=GREY, lw=1)
    axes.plot(said, true, "o-", color=BLUE, ms=4)
    for x, y, n in zip(said, true, count, strict=True):
        axes.annotate(f"{n:,}", (x, y), fontsize=6, color=INK, xytext=(3, -8), textcoords="offset points")
    axes.set_xlabel("predicted probability", fontsize=8)
    axes.set_ylabel("share in contact", fontsize=8)
    axes.tick_params(labelsize=7)
    axes.spines[["top", "right"]].set_visible(False)
    return png(figure)


def head_maps(attention: Float[np.ndarray, "H L L"], titles: list[str]) -> bytes:
    """Attention maps of some heads, side by side, one scale."""
    figure, row = plt.subplots(
        1, len(attention), figsize=(2.3 * len(attention), 2.6), squeeze=False, layout="constrained"
    )
    for axes, a, title in zip(row[0], attention, titles, strict=True):
        axes.imshow(a, cmap="Blues", vmin=0, vmax=float(np.quantile(attention, 0.998)) or 1.0)
        axes.set_title(title, fontsize=7, color=INK)
        axes.set_xticks([])
        axes.set_yticks([])
    return png(figure)
