"""Pictures of motifs that act together: who with whom, and at what spacing."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from zoo.domain.png import BLUE, GREY, INK, ORANGE, png
from zoo.genomics.cooperation import Cooperation
from zoo.genomics.spacing import MAX_SPACING, WAYS

MOST = 6  # pairs drawn
COOPERATES, ALONE = "count for more together", "either alone would do"
SPACED, PLACED, NOTHING = "keep a spacing", "stand at a spacing by their places", "tested, nothing found"
DARK = "#777777"
MARKS: dict[str, dict] = {
    COOPERATES: {"color": ORANGE, "lw": 3.5},
    ALONE: {"color": BLUE, "lw": 2.5, "ls": (0, (2, 1))},
    SPACED: {"color": INK, "lw": 0.9, "marker": "D", "ms": 6},
    PLACED: {"color": INK, "lw": 0.9, "marker": "D", "ms": 6, "mfc": "white"},
    NOTHING: {"color": GREY, "lw": 0.5},
}


def spacings(found: Cooperation, table: pd.DataFrame, labels: dict[str, str]) -> bytes:
    """For each pair of `table`, rows of `found`'s: how many pairs of sites stand at each spacing, and how much they
    interact there."""
    pairs, names = found.pairs, found.names
    drawn = table.head(MOST)
    figure, axes = plt.subplots(
        len(drawn), 2, figsize=(9.2, 0.9 + 1.7 * len(drawn)), squeeze=False, layout="constrained", sharex=True
    )
    gaps = np.arange(MAX_SPACING + 1)
    for (count, strength), row in zip(axes, drawn.itertuples(), strict=True):
        a, b = names.index(row.a), names.index(row.b)
        mine = pairs[(pairs.a == a) & (pairs.b == b) & (pairs.way == WAYS.index(row.orientation))]
        for label, colour, text, side in ((True, BLUE, "positives", -0.22), (False, DARK, "negatives", 0.22)):
            held = np.bincount(mine.spacing[mine.positive == label], minlength=len(gaps))
            count.bar(gaps + side, held, width=0.44, color=colour, label=text)
        count.step(gaps, found.expected[row.a, row.b], where="mid", color=INK, lw=0.9, label="if indifferent")
        count.set_title(
            f"{labels[row.a]}   {row.orientation}   {labels[row.b]}:  spacing {row.spacing}",
            loc="left", fontsize=9, color=INK,
        )  # fmt: skip
        _interactions(strength, mine[mine.positive], gaps)
        count.set_ylabel("pairs of sites", fontsize=8)
        strength.set_ylabel("interaction, logits", fontsize=8)
    figure.legend(
        *axes[0, 0].get_legend_handles_labels(), frameon=False, fontsize=8, ncols=3, loc="outside upper right"
    )
    for ax in axes[-1]:
        ax.set_xlabel("bases between the two sites", fontsize=9)
    for ax in axes.ravel():
        ax.tick_params(labelsize=8)
        ax.spines[["top", "right"]].set_visible(False)
    return png(figure)


def _interactions(axes: Axes, positive: pd.DataFrame, gaps: np.ndarray) -> None:
    """The mean at each spacing, and of how many pairs of sites it is."""
    by_gap = positive.groupby("spacing").epistasis
    mean, measured = by_gap.mean().reindex(gaps), by_gap.count().reindex(gaps, fill_value=0)
    bars = axes.bar(gaps, mean, width=0.9, color=np.where(mean > 0, ORANGE, GREY))
    axes.bar_label(bars, [str(n) if n else "" for n in measured], fontsize=5.5, rotation=90, padding=1, color=INK)
    axes.axhline(0, color=INK, lw=0.5)
    axes.margins(y=0.15)


def network(table: pd.DataFrame, labels: dict[str, str]) -> bytes:
    """Motifs as nodes in a ring, pairs of `table` (`zoo.genomics.partners.pair_table`) as lines between them, or as
    rings around a motif that is paired with itself. A pair with several findings has several marks."""
    asked = {name: label for name, label in labels.items() if name in {*table.a, *table.b}}
    ring = len(asked) > 2
    angle = np.pi * (0.5 if ring else 1) - 2 * np.pi * np.arange(len(asked)) / len(asked)
    place = dict(zip(asked, np.stack([np.cos(angle), ring * np.sin(angle)], axis=1), strict=True))
    width = 1.6 + 0.22 * len(asked)
    height = width if ring else 0.5
    figure = plt.figure(figsize=(width, height))
    axes = figure.add_axes((0, 0, 1, 1), xlim=(-1.15, 1.15), ylim=(-1.15, 1.15))
    strongest = max(float(table.epistasis.abs().max()), 1e-9)
    drawn = set()
    for row in table.to_dict("records"):
        marks = _marks(row)
        drawn.update(marks or {NOTHING})
        ends, together = (place[row["a"]], place[row["b"]]), 1.5 + 2.5 * abs(row["epistasis"]) / strongest
        if row["a"] == row["b"]:
            for i, mark in enumerate(marks):
                axes.scatter(*ends[0], s=130 + 130 * i, facecolor="none", edgecolor=MARKS[mark]["color"], lw=1.5)
            continue
        if not marks & {COOPERATES, ALONE}:
            axes.plot(*np.transpose(ends), **MARKS[NOTHING] if not marks else {"color": INK, "lw": 0.9}, zorder=1)
        for mark in sorted(marks & {COOPERATES, ALONE}):
            axes.plot(*np.transpose(ends), **MARKS[mark] | {"lw": together}, zorder=2)
        for mark in sorted(marks & {SPACED, PLACED}):
            axes.plot(*np.mean(ends, axis=0), **MARKS[mark] | {"ls": "none"}, zorder=3)
    axes.scatter(*np.array(list(place.values())).T, color=INK, s=42, zorder=4)
    for name, (x, y) in place.items():
        side = "center" if abs(x) < 0.2 else "left" if x > 0 else "right"
        level = "center" if abs(x) >= 0.2 else "bottom" if y > 0 else "top"
        offset = (9 * np.sign(x) * (abs(x) >= 0.2), 9 * y)
        axes.annotate(asked[name], (x, y), offset, textcoords="offset points", ha=side, va=level, fontsize=8, color=INK)
    axes.axis("off")
    handles = [Line2D([], [], **style, label=mark) for mark, style in MARKS.items() if mark in drawn]
    figure.legend(handles=handles, frameon=False, fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.12 / height))
    return png(figure)


def _marks(row: dict[str, object]) -> set[str]:
    """What was found of a pair; nothing: it was asked in vain."""
    found = {
        COOPERATES: row["cooperates"] == "yes",
        ALONE: row["either alone would do"] == "yes",
        SPACED: row["keeps a spacing"] == "yes",
        PLACED: row["keeps a spacing"] not in ("yes", "no"),
    }
    return {mark for mark, there in found.items() if there}
