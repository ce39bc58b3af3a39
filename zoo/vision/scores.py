"""Balanced accuracy of a part or a bootstrap draw that may lack some classes."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor
from torchmetrics.classification import MulticlassStatScores


class BalancedAccuracy(MulticlassStatScores):
    """Mean recall over the classes that are among the true ones; torchmetrics' macro accuracy also counts a class that
    is only predicted, as a recall of 0. Without any true class it is 0."""

    is_differentiable, higher_is_better, full_state_update = False, True, False
    plot_lower_bound, plot_upper_bound = 0.0, 1.0

    def __init__(self, num_classes: int):
        super().__init__(num_classes, average=None)

    def compute(self) -> Float[Tensor, ""]:
        right, _, _, missed = self._final_state()
        there = right + missed > 0
        recall = right[there] / (right + missed)[there]
        return recall.sum() / there.sum().clamp(min=1)
