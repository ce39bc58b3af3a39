"""Partners at a set distance (`zoo.genomics.beside_tests`): the table, the words and the picture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt

from zoo.domain.png import BLUE, INK, png
from zoo.genomics.beside_tests import Beside
from zoo.genomics.logos import logo
from zoo.genomics.spacing import MAX_SPACING

DRAWN = 4
DARK = "#777777"
TITLE = "Partners at a set distance"
CAPTION = (
    "What stands beside a confirmed motif, learnt in {found_in}, tested on {tested_on}; read in the motif's direction. "
    "Of those with the motif: share that holds the partner within 2 bases of its distance, of positives and of "
    "negatives; nearby: of equal stretches next to it, nearer to the motif and farther from it (distance q: Fisher "
    "against each, the larger p). Both in positives, in negatives: motif and partner at that distance (class q: "
    "Fisher; where the motif itself is commoner in positives, so is the two together). It stands out where both q < "
    "0.05 (Benjamini-Hochberg over the rows). Knock-out as for motifs. Also: what has most of these sites already."
)
FIGURE_CAPTION = (
    "Share of all test sequences of either class that hold the motif, and the partner at each distance from it: bases "
    "between the two, left of the motif where the partner stands before it."
)


def beside_table(found: Sequence[Beside]) -> pd.DataFrame:
    rows = [
        {
            "motif": b.partner.beside,
            "partner": b.partner.motif.name,
            "logo": logo(b.partner.motif),
            "stands out": "yes" if b.stands_out else "no",
            "stands": "before it" if b.before else "behind it",
            "bases between": b.spacing,
            "of those with the motif": b.held[0].hits / max(1, b.held[0].n),
            "of negatives with it": b.held[1].hits / max(1, b.held[1].n),
            "nearby": b.held[0].elsewhere,
            "distance q": b.distance_q,
            "both in positives": b.counts[0] / b.counts[1],
            "both in negatives": b.counts[2] / b.counts[3],
            "class q": b.class_q,
            "logit fall": b.knockout.fall,
            "fall elsewhere": b.knockout.elsewhere,
            "knock-out q": b.knockout.qvalue,
            "also": b.also,
        }
        for b in found
    ]
    return pd.DataFrame(rows)


def beside_headline(found: Sequence[Beside], labels: dict[str, str]) -> str:
    """A line for each partner that stands out and is no motif above; nothing, where there is none."""
    new = [b for b in found if b.stands_out and not b.also]
    lines = ["At a set distance, beside motifs and none of their own:"] if new else []
    for b in new:
        shares = f"{b.counts[0] / b.counts[1]:.0%} of positives, {b.counts[2] / b.counts[3]:.0%} of negatives"
        need = "the model needs it" if b.knockout.confirms else "no need of it shown"
        need = need if b.asked else "too few to ask the model"
        lines.append(
            f"  {b.partner.motif.name}, {b.spacing} bases {'before' if b.before else 'behind'} "
            f"{labels.get(b.partner.beside, b.partner.beside)}: both in {shares}; {need}"
        )
    return "\n".join(lines)


def beside_picture(found: Sequence[Beside], labels: dict[str, str]) -> bytes:
    """found: at least one."""
    drawn = found[:DRAWN]
    figure, axes = plt.subplots(
        len(drawn), 1, figsize=(7.6, 0.8 + 1.6 * len(drawn)), squeeze=False, layout="constrained", sharex=True
    )
    for ax, b in zip(axes[:, 0], drawn, strict=True):
        spacings = MAX_SPACING - len(b.partner.motif) + 1
        for track, colour, label, side in zip(
            b.profiles, (BLUE, DARK), ("positives", "negatives"), (-0.22, 0.22), strict=True
        ):
            before, behind = track[:spacings][::-1], track[-spacings:]  # spacing 0, 1, 2 ... from the motif
            ax.bar(-np.arange(len(before)) - 1 + side, before, width=0.44, color=colour, label=label)
            ax.bar(np.arange(len(behind)) + 1 + side, behind, width=0.44, color=colour)
        ax.axvspan(-0.5, 0.5, color=INK, lw=0)
        where = "before" if b.before else "behind"
        ax.set_title(
            f"{b.partner.motif.name}, {b.spacing} bases {where}  {labels.get(b.partner.beside, b.partner.beside)}",
            loc="left", fontsize=9, color=INK,
        )  # fmt: skip
        ax.set_ylabel("share", fontsize=8)
        ax.tick_params(labelsize=8)
        ax.spines[["top", "right"]].set_visible(False)
    ticks = [*range(-MAX_SPACING - 1, 0, 10), *range(1, MAX_SPACING + 2, 10)]
    axes[-1, 0].set_xticks(ticks, [str(abs(t) - 1) for t in ticks])
    axes[-1, 0].set_xlabel("bases between partner and motif (black)", fontsize=9)
    figure.legend(
        *axes[0, 0].get_legend_handles_labels(), frameon=False, fontsize=8, ncols=2, loc="outside upper right"
    )
    return png(figure)
