"""Can the label be told without the thing that is meant to be learned? What every domain's audit shares.

An audit asks of one property after another (a length, a share, a position) what a model too simple to have understood
anything reaches with that property alone, on examples that it was not fitted on. The rule, for every domain:

    serious  the 95 % interval of its AUROC lies above .75
    look     it lies above .6
    none     else

A share of examples that are wrong in themselves (copies across parts, one example with two labels) is `look` from 1 %
on and `serious` from 10 % on. A finding takes the worse of the two.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from matplotlib import pyplot as plt
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler
from torchmetrics import MetricCollection
from torchmetrics.classification import BinaryAUROC, BinaryMatthewsCorrCoef

from zoo.domain.insight import Table
from zoo.domain.png import BLUE, GREY, INK, ORANGE, png
from zoo.domain.scoreboard import scoreboard

Severity = Literal["none", "look", "serious"]
LEVELS: tuple[Severity, ...] = ("none", "look", "serious")
SCORE_LIMITS = (0.6, 0.75)  # of the lower end of the AUROC's interval
SHARE_LIMITS = (0.01, 0.1)
COLOURS = {"none": GREY, "look": ORANGE, "serious": "#b2182b"}

CAPTION = (
    "AUROC and MCC that a model reaches from this property alone, fitted on the training part and scored on the "
    "validation and test parts; 95 % bootstrap intervals. Serious: the AUROC's interval lies above .75, or 10 % of the "
    "examples are concerned; look: above .6, or 1 %."
)


@dataclass(frozen=True)
class Score:
    """What a simple model reached on held-out examples; `low` and `high` bound the AUROC."""

    auroc: float
    low: float
    high: float
    mcc: float


@dataclass(frozen=True)
class Finding:
    """One property, how well it tells the label (None: no model applies), and what that means, in one sentence."""

    check: str
    severity: Severity
    verdict: str
    score: Score | None = None


def by_score(score: Score | None) -> Severity:
    return "none" if score is None else LEVELS[sum(score.low > limit for limit in SCORE_LIMITS)]


def by_share(share: float) -> Severity:
    """share: of the examples that are wrong in themselves."""
    return LEVELS[sum(share >= limit for limit in SHARE_LIMITS)]


def worst(*severities: Severity) -> Severity:
    return max(severities, key=LEVELS.index)


def from_feature(
    fitted: Float[np.ndarray, " n"], labels: Float[np.ndarray, " n"], held_out: Float[np.ndarray, " m"]
) -> Float[np.ndarray, " m"] | None:
    """P(class 1) of the held-out examples from one number each: logistic regression on it and its square, the classes
    weighted alike. None where the number is the same in all examples: it tells nothing."""
    if np.ptp(np.concatenate([fitted, held_out])) == 0:
        return None
    model = make_pipeline(
        StandardScaler(), PolynomialFeatures(2, include_bias=False), LogisticRegression(class_weight="balanced")
    )
    return model.fit(fitted[:, None], labels).predict_proba(held_out[:, None])[:, 1]


def scored(
    predictions: Mapping[str, Float[np.ndarray, " m"] | None], labels: Float[np.ndarray, " m"], seed: int = 0
) -> dict[str, Score]:
    """The score of each prediction that there is; one bootstrap for all."""
    given = {name: torch.as_tensor(p, dtype=torch.float32) for name, p in predictions.items() if p is not None}
    if not given:
        return {}
    metrics = MetricCollection({"auroc": BinaryAUROC(), "mcc": BinaryMatthewsCorrCoef()})
    board = scoreboard(given, torch.as_tensor(labels).int(), metrics, seed=seed, resamples=300)
    return {row.model: Score(row.auroc, row.auroc_low, row.auroc_high, row.mcc) for row in board.itertuples()}


def findings_table(findings: Sequence[Finding]) -> Table:
    """The gravest first."""
    rows = []
    for f in sorted(findings, key=lambda f: -LEVELS.index(f.severity)):
        score = f.score or Score(*[float("nan")] * 4)
        rows.append((f.check, f.severity, score.auroc, score.low, score.high, score.mcc, f.verdict))
    columns = ["check", "severity", "auroc", "auroc_low", "auroc_high", "mcc", "verdict"]
    return Table("audit", "What gives the label away", pd.DataFrame(rows, columns=columns), CAPTION)


def findings_headline(findings: Sequence[Finding]) -> str:
    flagged = sorted((f for f in findings if f.severity != "none"), key=lambda f: -LEVELS.index(f.severity))
    if not flagged:
        return f"Nothing gives the label away: {len(findings)} checks, none flagged."
    lines = [f"{len(flagged)} of {len(findings)} checks flagged:"]
    return "\n".join([*lines, *(f"  {f.severity:<8} {f.check}: {f.verdict}" for f in flagged)])


def findings_picture(findings: Sequence[Finding]) -> bytes:
    """AUROC of each check that has one, with its interval, between the two limits."""
    shown = [f for f in findings if f.score][::-1]
    figure, axes = plt.subplots(figsize=(6.4, 0.9 + 0.36 * len(shown)), layout="constrained")
    for y, finding in enumerate(shown):
        score, colour = finding.score, COLOURS[finding.severity]
        axes.plot([score.low, score.high], [y, y], color=colour, lw=2.2, solid_capstyle="butt")
        axes.plot([score.auroc], [y], "o", color=BLUE if finding.severity == "none" else colour, ms=6)
    for limit, level in zip(SCORE_LIMITS, LEVELS[1:], strict=True):
        axes.axvline(limit, color=COLOURS[level], lw=0.8, ls=(0, (3, 3)))
        axes.text(limit, len(shown) - 0.45, level, fontsize=8, color=COLOURS[level], ha="center", va="bottom")
    axes.axvline(0.5, color=INK, lw=0.6)
    axes.set_yticks(range(len(shown)), [f.check for f in shown], fontsize=9)
    axes.set_xlim(min([0.4, *(f.score.low for f in shown)]), 1.02)
    axes.set_ylim(-0.6, len(shown) - 0.4)
    axes.tick_params(labelsize=8, length=0)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.set_xlabel("AUROC on held-out examples, 95 % interval", fontsize=9)
    return png(figure)
