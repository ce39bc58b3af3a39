"""The evidence of single sequences, base by base: a picture of the clearest, and a bedGraph for a genome browser."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

import logomaker
import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, Integer
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from torch import Tensor

from zoo.domain.insight import Figure, Insight
from zoo.domain.png import BLUE, GREY, INK, ORANGE, png
from zoo.genomics.attribution import best_windows, logits, mutagenesis
from zoo.genomics.evidence import MUTAGENESIS_PASSES, mutagenesis_budget
from zoo.genomics.logos import BASE_COLOURS
from zoo.genomics.motifs import BASES
from zoo.genomics.place_names import genome_place
from zoo.genomics.sequences import PAD

if TYPE_CHECKING:
    from zoo.genomics.model import PromoterDetector

DRAWN = 5  # sequences
WRITTEN = 200
ZOOM = 40  # bases around the peak, as letters

MUTATED = (
    " and in-silico mutagenesis (orange: mean fall of the logit when the base is replaced), each over its own maximum"
)
TOO_LONG = f"; no in-silico mutagenesis, which would take more than {MUTAGENESIS_PASSES:,} passes at this length"
TITLE = "Evidence base by base"
CAPTION = (
    f"The {DRAWN} test positives of the highest logit. Left: attention x gradient (blue){{mutagenesis}}. Right: the "
    f"{ZOOM} bases around the peak of attention x gradient, letters as high as it. evidence.bedgraph holds the "
    f"{WRITTEN} highest."
)


def with_tracks(
    insight: Insight,
    model: PromoterDetector,
    codes: Integer[np.ndarray, "n length"],
    names: tuple[str, ...],
    evidence: Float[Tensor, "n length"],
) -> Insight:
    """The insight with a figure `tracks` and the file `evidence.bedgraph`. codes: of the positives, PAD behind."""
    order = torch.argsort(logits(model, torch.from_numpy(codes)), descending=True).numpy()
    drawn, written = order[:DRAWN], np.sort(order[:WRITTEN])
    longest = int((codes[drawn] != PAD).sum(1).max(initial=1))
    affordable = mutagenesis_budget(model, longest) >= len(drawn)
    falls = mutagenesis(model, torch.from_numpy(codes[drawn])).numpy() if affordable else None
    picture = draw_tracks(codes[drawn], [names[i] for i in drawn], evidence.numpy()[drawn], falls)
    text = to_bedgraph(evidence.numpy()[written], codes[written], [names[i] for i in written])
    caption = CAPTION.format(mutagenesis=MUTATED if affordable else TOO_LONG)
    figures = (*insight.figures, Figure("tracks", TITLE, picture, caption))
    return replace(insight, figures=figures, files={**insight.files, "evidence.bedgraph": text})


def to_bedgraph(
    evidence: Float[np.ndarray, "n length"], codes: Integer[np.ndarray, "n length"], names: list[str]
) -> str:
    """bedGraph, 0-based and half-open, sorted; neighbours of equal value are one line.

    Sequences named as places of a genome (`chr1:100-400`) are put there, others are chromosomes of their own. Where
    windows overlap, so do their lines.
    """
    rows = []
    for track, bases, name in zip(evidence, codes, names, strict=True):
        length = int((bases != PAD).sum())
        values = [f"{value:.4g}" for value in track[:length]]
        breaks = [0, *(i for i in range(1, length) if values[i] != values[i - 1]), length]
        place = genome_place(name, length)
        for start, end in pairwise(breaks):
            if start < end:
                rows.append((place.chromosome, *place.of(start, end)[:2], values[start]))
    lines = ["\t".join(map(str, row)) for row in sorted(rows)]
    return "\n".join(['track type=bedGraph name="attention x gradient" visibility=full', *lines]) + "\n"


def draw_tracks(
    codes: Integer[np.ndarray, "n length"],
    names: list[str],
    evidence: Float[np.ndarray, "n length"],
    falls: Float[np.ndarray, "n length"] | None,
) -> bytes:
    """PNG, one row for each sequence. falls: by mutagenesis, where there was time for it."""
    figure, rows = plt.subplots(
        len(codes), 2, figsize=(11, 0.5 + 1.15 * len(codes)), squeeze=False, width_ratios=(1, 1.2), layout="constrained"
    )
    present = torch.from_numpy(codes != PAD)
    zoom = min(ZOOM, int(present.sum(1).min()))
    starts = best_windows(torch.from_numpy(evidence), zoom, present).tolist()
    for i, ((left, right), bases, name, track, start) in enumerate(
        zip(rows, codes, names, evidence, starts, strict=True)
    ):
        length = int((bases != PAD).sum())
        lines = [] if falls is None else [(falls[i], ORANGE, "mutagenesis")]
        for values, colour, label in (*lines, (track, BLUE, "attention x gradient")):
            left.plot(values[:length] / max(float(np.abs(values).max()), 1e-12), color=colour, lw=0.9, label=label)
        left.axvspan(start, start + zoom, color=GREY, alpha=0.3, lw=0)
        left.axhline(0, color=INK, lw=0.5)
        left.set_title(name[:60], loc="left", fontsize=8, color=INK)
        _letters(right, bases[start : start + zoom], track[start : start + zoom], start)
        for axes in (left, right):
            axes.spines[["top", "right"]].set_visible(False)
            axes.tick_params(labelsize=7)
            axes.set_yticks([])
    rows[-1, 0].set_xlabel("base", fontsize=8)
    figure.legend(*rows[0, 0].get_legend_handles_labels(), frameon=False, fontsize=8, ncols=2, loc="outside upper left")
    return png(figure)


def _letters(axes: Axes, bases: np.ndarray, track: np.ndarray, start: int) -> None:
    if not track.any():
        return
    heights = np.zeros((len(bases), 4))
    known = bases < 4
    heights[np.flatnonzero(known), bases[known]] = track[known]
    frame = pd.DataFrame(heights, columns=list(BASES), index=np.arange(start, start + len(bases)))
    logomaker.Logo(frame, ax=axes, color_scheme=BASE_COLOURS, show_spines=False, flip_below=False)
    axes.axhline(0, color=INK, lw=0.5)
