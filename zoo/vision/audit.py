"""What gives the class of an image away before anything is looked at: its size, its mean colour, a thumbnail, a copy.

The rule for what is flagged is `zoo.domain.audit`'s, with the AUROC of each class against the others, all classes
weighing alike. Every model is fitted on the training part and scored on the validation and test parts together.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from jaxtyping import Bool, Float
from numpy.typing import NDArray
from torch import Tensor
from torchmetrics import MetricCollection
from torchmetrics.classification import MulticlassAUROC, MulticlassMatthewsCorrCoef

from zoo.domain.audit import (
    Finding,
    Score,
    by_score,
    by_share,
    findings_headline,
    findings_picture,
    findings_table,
)
from zoo.domain.errors import InputError
from zoo.domain.insight import Figure, Insight
from zoo.domain.scoreboard import scoreboard
from zoo.vision.baselines import THUMBNAIL, colour_alone, thumbnails, told_by
from zoo.vision.batch import ImageSet

FEWEST = 20  # held-out images; fewer bound nothing
SAME = 3 / 255  # mean difference of the pixels of two thumbnails: one photograph, saved twice

ADVICE = {
    "size alone": "how large an image is, and its proportions, tell its class: model.sizing.scale=fit hides the scale, "
    "and the report's score of size alone is what a model has to beat",
    "mean colour": "three numbers tell the class: another camera, stain or background for each class?",
    "thumbnail regression": f"{THUMBNAIL} x {THUMBNAIL} pixels tell it: it may be easy, or be in the background",
    "thumbnail forest": f"{THUMBNAIL} x {THUMBNAIL} pixels tell it: it may be easy, or be in the background",
}


def audit(train: ImageSet, valid: ImageSet, test: ImageSet, seed: int = 0) -> Insight:
    """Raises InputError where there are too few held-out images to say anything."""
    held = ImageSet((*valid.items, *test.items), test.classes, test.sizing)
    if len(held) < FEWEST:
        raise InputError(f"an audit needs at least {FEWEST} images in validation and test together, got {len(held)}")
    seen, asked = thumbnails(train), thumbnails(held)
    predictions = told_by(train, (seen, asked), held, seed) | {"mean colour": colour_alone(train, (seen, asked))}
    found = [
        Finding(name, by_score(score), ADVICE[name] if by_score(score) != "none" else "tells little", score)
        for name, score in _scored(predictions, held).items()
    ]
    found += _copies(train, held, seen, asked)
    figure = Figure("audit", "What gives the label away", findings_picture(found))
    values = {f"{f.check.replace(' ', '_')}/auroc": f.score.auroc for f in found if f.score}
    return Insight(findings_headline(found), (findings_table(found),), (figure,), scores=values)


def _scored(predictions: Mapping[str, Float[Tensor, "N classes"]], held: ImageSet) -> dict[str, Score]:
    count = len(held.classes)
    metrics = MetricCollection({"auroc": MulticlassAUROC(count), "mcc": MulticlassMatthewsCorrCoef(count)})
    board = scoreboard(predictions, torch.tensor(held.labels), metrics, resamples=300)
    return {row.model: Score(row.auroc, row.auroc_low, row.auroc_high, row.mcc) for row in board.itertuples()}


def _copies(train: ImageSet, held: ImageSet, seen: NDArray, asked: NDArray) -> list[Finding]:
    """One photograph in two parts, and one with two labels."""
    same = np.stack([_like(seen, one) for one in asked])  # [held out, training]
    everything, labels = np.concatenate([seen, asked]), np.array([*train.labels, *held.labels])
    share = float(same.any(1).mean())
    told = f"{share:.1%} of the held-out images are in the training part too"
    conflicts = sum(
        bool((labels[_like(everything, one)] != label).any()) for one, label in zip(everything, labels, strict=True)
    )
    wrong = conflicts / len(everything)
    return [
        Finding("copies in training", by_share(share), told + _named(train, held, same)),
        Finding("one image, two labels", by_share(wrong), f"{conflicts} of {len(everything)} images"),
    ]


def _like(images: NDArray, one: NDArray) -> Bool[NDArray, " N"]:
    return np.abs(images - one).mean(1) < SAME


def _named(train: ImageSet, held: ImageSet, same: Bool[NDArray, "held train"]) -> str:
    pairs = [f"{held.items[i].name} = {train.items[j].name}" for i, j in np.argwhere(same)[:3]]
    return f" ({', '.join(pairs)}, ...): give copies one group in a manifest" if pairs else ""
