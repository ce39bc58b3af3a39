"""Validation, checkpoints and the end of training by the moving average of the weights."""

from __future__ import annotations

import pytorch_lightning as pl
from pytorch_lightning.callbacks import EMAWeightAveraging

from zoo.vision.model import ImageClassifier


class MovingAverage(EMAWeightAveraging):
    """Lightning's exponential moving average of the weights, started once the head is there. decay: of what is kept at
    each step; .99 looks back about 100 steps."""

    def __init__(self, decay: float = 0.99):
        super().__init__(decay=decay, use_buffers=False)  # the names of the classes are a buffer, and no average

    @classmethod
    def problems(cls, decay: float = 0.99) -> list[str]:
        return [] if 0 < decay < 1 else [f"decay={decay} is a share, above 0, below 1"]

    def setup(self, trainer: pl.Trainer, pl_module: ImageClassifier, stage: str) -> None:
        pl_module.setup(stage)  # callbacks come before the module
        super().setup(trainer, pl_module, stage)
