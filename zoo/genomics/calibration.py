"""Probabilities whose mean is the share of positives: calibration in the large (Steyerberg 2009, chapter 15).

Training drops out and redraws bases, and may meet the same negatives again and again; undisturbed, a model is then too
sure of one class. So was a model of TATA promoters against their shuffles: at a validation AUROC of .997 its
cross-entropy was .17, which one number brings to .10. That number, found on the validation part, is added to every
logit: differences of logits, and all that is read from them, stay as they are.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Bool, Float, Integer
from scipy.optimize import brentq
from scipy.special import expit, logit
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

CERTAIN = 1e-6  # a probability closer to 0 or 1 than this counts as so close


class Offset(Metric):
    """What must be added to the logits for the mean probability to be the share of positives: of all offsets the one
    of least cross-entropy. 0 where nothing can be said: no example, one class, a prediction that is no number.
    Gathered over processes like any metric."""

    full_state_update = False
    probabilities: list[Tensor]
    labels: list[Tensor]

    def __init__(self) -> None:
        super().__init__()
        self.add_state("probabilities", default=[], dist_reduce_fx="cat")
        self.add_state("labels", default=[], dist_reduce_fx="cat")

    def update(self, probabilities: Float[Tensor, " n"], labels: Integer[Tensor, " n"] | Bool[Tensor, " n"]) -> None:
        self.probabilities.append(probabilities.detach().float())
        self.labels.append(labels)

    def compute(self) -> Float[Tensor, ""]:
        return torch.tensor(self._offset(), device=self.device)

    def shifted(self, offset: Float[Tensor, ""]) -> tuple[Float[Tensor, " n"], Integer[Tensor, " n"]]:
        """This process's probabilities with the offset added to their logits, and the labels."""
        probabilities, odds = dim_zero_cat(self.probabilities), offset.exp()
        return probabilities * odds / (probabilities * odds + 1 - probabilities), dim_zero_cat(self.labels)

    def _offset(self) -> float:
        if not len(self.labels):
            return 0.0
        probabilities = dim_zero_cat(self.probabilities).cpu().double().clamp(CERTAIN, 1 - CERTAIN)
        logits, share = logit(probabilities.numpy()), float(dim_zero_cat(self.labels).cpu().double().mean())
        if not (0 < share < 1 and np.isfinite(logits).all()):
            return 0.0
        # one that brings the least logit to the share's own leaves no probability below the share, and so on
        most, least = logit(share) - logits.min(), logit(share) - logits.max()
        return least if most == least else brentq(lambda b: expit(logits + b).mean() - share, least, most)
