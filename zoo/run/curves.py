"""Learning curves from `metrics.csv`: one small panel per metric, training beside validation."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from zoo.run.cells import heading

STAGES = ("train", "valid")
LEARNING_RATE = "learning rate"
MAX_PANELS = 9
SMOOTH_FROM = 60  # points; a longer curve of single batches is drawn faintly, its rolling mean clearly

INK = {  # text, axis, train, valid: each legible on its own page, without a background of its own
    False: ("#1d2126", "#c9ced4", "#8a939d", "#0b6e99"),
    True: ("#e4e7ea", "#454b52", "#8b949e", "#58b4dd"),
}


def learning_curves(metrics: pd.DataFrame, best_step: int | None = None, dark: bool = False) -> dict[str, bytes]:
    """Metric -> a transparent PNG, all of one size; empty where nothing was logged twice.

    metrics: columns `step`, `stage/metric` and `lr...`; rows may be sparse, as Lightning logs them.
    best_step: marked with a line and, on every validation curve, a dot at the evaluation nearest to it.
    """
    return {title: _panel(title, curves, best_step, INK[dark]) for title, curves in _panels(metrics)[:MAX_PANELS]}


def _panel(title: str, curves: dict[str, pd.Series], best_step: int | None, ink: tuple[str, ...]) -> bytes:
    text, axis, train, valid = ink
    figure = Figure(figsize=(4, 2.7), dpi=160)
    axes = figure.add_axes((0.12, 0.17, 0.85, 0.68))
    for stage, curve in curves.items():
        colour = valid if stage == "valid" else train
        _draw(axes, curve, colour, stage)
        if best_step is not None and stage == "valid":
            nearest = (curve.index.to_series() - best_step).abs().idxmin()
            axes.plot([nearest], [curve[nearest]], "o", color=colour, markersize=5, zorder=4)
    if best_step is not None:
        axes.axvline(best_step, color=train, linewidth=0.8, linestyle=(0, (3, 3)), zorder=0)
    _plain(axes, heading(title), text, axis)
    if len(curves) > 1:
        axes.legend(frameon=False, fontsize=9, labelcolor=text, handlelength=1.2)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", transparent=True)
    return buffer.getvalue()


def _panels(metrics: pd.DataFrame) -> list[tuple[str, dict[str, pd.Series]]]:
    """Title -> stage -> values over the steps; loss first, the learning rate last."""
    found: dict[str, dict[str, pd.Series]] = {}
    for stage, metric, column in _named(metrics):
        curve = metrics[["step", column]].dropna().groupby("step")[column].mean()
        if len(curve) > 1:
            found.setdefault(metric, {})[stage] = curve
    return sorted(found.items(), key=lambda item: (item[0] != "loss", item[0] == LEARNING_RATE))


def _named(metrics: pd.DataFrame) -> Iterator[tuple[str, str, str]]:
    rates = 0
    for column in metrics.columns if "step" in metrics else ():
        stage, _, metric = str(column).partition("/")
        if stage in STAGES and metric:
            yield stage, metric, column
        elif stage.startswith("lr") and not rates:  # parameter groups share one schedule
            rates += 1
            yield "train", LEARNING_RATE, column


def _draw(axes: Axes, curve: pd.Series, colour: str, label: str) -> None:
    if len(curve) >= SMOOTH_FROM:
        axes.plot(curve.index, curve, color=colour, linewidth=0.7, alpha=0.3)
        curve = curve.rolling(len(curve) // 30, min_periods=1, center=True).mean()
    axes.plot(curve.index, curve, color=colour, linewidth=1.7, label=label, solid_capstyle="round")


def _plain(axes: Axes, title: str, text: str, axis: str) -> None:
    axes.set_title(title, loc="left", x=-0.12, fontsize=11, color=text, pad=10)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(axis)
    axes.grid(axis="y", color=axis, linewidth=0.5, alpha=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=9, colors=text, length=0)
    axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(4))
    axes.set_xlabel("step", fontsize=9, color=text, loc="right", labelpad=2)
