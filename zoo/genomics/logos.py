"""Sequence logos as PNG bytes (Schneider & Stephens 1990), drawn by logomaker."""

from __future__ import annotations

import io

import logomaker
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from zoo.genomics.jaspar import Match, Reference
from zoo.genomics.motifs import BASES, Motif

# Legible for the colour-blind too; green A, blue C, amber G, red T is the field's habit.
BASE_COLOURS = {"A": "#2e8b57", "C": "#2a5db0", "G": "#e8a317", "T": "#c8372d"}
_INCHES_PER_COLUMN = 0.32
_ROW_INCHES = 1.15
_INK = "#333333"


def logo(motif: Motif) -> bytes:
    """The motif's information content, 0-2 bits, in one row."""
    figure, (axes,) = _canvas(len(motif), 1)
    _draw(axes, motif, 0, len(motif))
    return _png(figure)


def aligned_logo(motif: Motif, found: Match, reference: Reference) -> bytes:
    """The motif over the database's matrix, column under column as TOMTOM aligned them.

    The motif keeps its direction; for strand "-" the matrix is the one turned round, and its label says so.
    """
    target = reference.motif.reverse_complement() if found.strand == "-" else reference.motif
    left = min(0, found.offset)
    right = max(len(target), found.offset + len(motif))
    figure, (above, below) = _canvas(right - left, 2)
    _draw(above, motif, found.offset - left, right - left)
    _draw(below, target, -left, right - left)
    turned = ", reverse complement" if found.strand == "-" else ""
    _label(above, motif.name)
    _label(below, f"{reference.name}  {reference.matrix_id}{turned}    q = {found.qvalue:.1g}")
    return _png(figure)


def _canvas(n_columns: int, n_rows: int) -> tuple[Figure, list[Axes]]:
    width = max(2.6, n_columns * _INCHES_PER_COLUMN + 0.6)
    height = n_rows * (_ROW_INCHES + (0.3 if n_rows > 1 else 0.1))
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, list(np.ravel(figure.subplots(n_rows, 1)))


def _draw(axes: Axes, motif: Motif, start: int, n_columns: int) -> None:
    """Letters as high as their share of the column's bits, the first column at `start`."""
    heights = motif.ppm * motif.information[:, None]
    frame = pd.DataFrame(heights, columns=list(BASES), index=np.arange(start, start + len(motif)))
    logomaker.Logo(frame, ax=axes, color_scheme=BASE_COLOURS, show_spines=False, vpad=0.02, width=0.94)
    axes.set_xlim(-0.6, n_columns - 0.4)
    axes.set_ylim(0, 2)
    axes.set_yticks([0, 1, 2])
    axes.set_xticks([])
    axes.tick_params(axis="y", length=2.5, width=0.6, labelsize=7, colors=_INK)
    axes.set_ylabel("bits", fontsize=7, color=_INK, labelpad=2)
    for side in ("left", "bottom"):
        axes.spines[side].set(visible=True, color=_INK, linewidth=0.6)


def _label(axes: Axes, text: str) -> None:
    axes.set_title(text, fontsize=8, color=_INK, loc="left", pad=3)


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=160, facecolor="white")
    return buffer.getvalue()
