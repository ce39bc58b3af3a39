"""An image classifier that starts from what another has learned: fine-tuned as a whole, or its head alone."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path

import pytorch_lightning as pl
from torch import nn

from zoo.attention.pretrained import Checkpoint, WeightsError
from zoo.attention.renaming import Rule, fill, tensors_of
from zoo.domain.start import StartFrom
from zoo.vision.model import ImageClassifier

HEAD = ("head.*", "class_names")  # patterns


class StartImages(StartFrom):
    """The head is new. probe: all else keeps its weights, and is as in evaluation: a linear probe."""

    def __init__(self, weights: str, probe: bool = False):
        super().__init__(weights)
        self.probe = probe

    @classmethod
    def problems(cls, weights: str, probe: bool = False) -> list[str]:
        return super().problems(weights)

    def unchanged(self, module: ImageClassifier) -> Iterable[nn.Module]:
        return (module.embedding, module.backbone, module.readout) if self.probe else ()

    def setup(self, trainer: pl.Trainer, pl_module: ImageClassifier, stage: str) -> None:
        super().setup(trainer, pl_module, stage)
        for part in self.unchanged(pl_module):
            part.eval()
            warnings.filterwarnings("ignore", message=r"Found \d+ module\(s\) in eval mode")  # they are meant to be


class StartFromRun(StartImages):
    """weights: the folder of a run of the same model, whatever its classes were, or a checkpoint in it."""

    def __init__(self, weights: str, probe: bool = False):
        best = Path(weights).expanduser() / "checkpoints" / "best.ckpt"
        super().__init__(str(best) if best.is_file() else weights, probe)

    def load(self, module: ImageClassifier, checkpoint: Checkpoint) -> None:
        rules = [Rule(n, n) for n in tensors_of(module) if not any(fnmatchcase(n, head) for head in HEAD)]
        try:
            fill(module, checkpoint.weights, rules, HEAD, HEAD, checkpoint.source)
        except WeightsError as error:
            raise WeightsError(f"{error}; give this one the model and backbone in that one's config.yaml") from error
