"""A figure as the bytes of a PNG, in the manner of the house."""

from __future__ import annotations

import io

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

INK, GREY, BLUE, ORANGE = "#222222", "#b8b8b8", "#2b6cb0", "#c05621"


def png(figure: Figure) -> bytes:
    """Draws the figure and closes it."""
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=140, bbox_inches="tight", facecolor="white")
    plt.close(figure)
    return stream.getvalue()
