"""Two classes of sequences side by side: GC content, length, and how their bases differ from place to place."""

from __future__ import annotations

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from zoo.domain.png import BLUE, GREY, ORANGE, png
from zoo.genomics.fixed_words import class_difference
from zoo.genomics.sequences import Sequences, gc_content


def profile(positive: Sequences, negative: Sequences, aligned: bool) -> bytes:
    """GC content and, where lengths differ, length, else the difference at each place."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(8.4, 2.6), width_ratios=(1, 1.9), layout="constrained")
    _histograms(left, gc_content(positive), gc_content(negative), np.linspace(0, 1, 41), "GC content")
    if aligned:
        _difference(right, positive, negative)
    else:
        lengths = positive.lengths, negative.lengths
        top = max(int(n.max()) for n in lengths)
        _histograms(right, *lengths, np.linspace(0, top + 1, 41), "length (bases)")
    left.legend(frameon=False, fontsize=8)
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=8)
    return png(figure)


def _histograms(axes: Axes, positive: np.ndarray, negative: np.ndarray, bins: np.ndarray, label: str) -> None:
    for values, colour, name in ((negative, GREY, "negatives"), (positive, BLUE, "positives")):
        height, _ = np.histogram(values, bins)
        axes.stairs(height / max(1, len(values)), bins, color=colour, fill=True, alpha=0.7, label=name)
    axes.set_xlabel(label, fontsize=9)
    axes.set_ylabel("share of the class", fontsize=9)


def _difference(axes: Axes, positive: Sequences, negative: Sequences) -> None:
    """The distance, and what two samples of one kind would show."""
    shares = np.stack([(np.concatenate([positive.codes, negative.codes]) == base).mean(0) for base in range(4)])
    spread = np.sqrt(shares * (1 - shares) * (1 / len(positive) + 1 / len(negative)))
    chance = np.sqrt(2 / np.pi) * spread.sum(0) / 2  # mean of |normal|
    axes.plot(class_difference(positive.codes, negative.codes), color=BLUE, lw=1, label="seen")
    axes.plot(chance, color=ORANGE, lw=1, label="by chance")
    axes.set_ylim(bottom=0)
    axes.set_xlabel("base (0-based)", fontsize=9)
    axes.set_ylabel("difference of the classes", fontsize=9)
    axes.legend(frameon=False, fontsize=8)
