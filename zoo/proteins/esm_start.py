"""Published weights of ESM-2 and ESM-1b (Lin et al. 2023; Rives et al. 2021) for contacts from a sequence alone.

    python train.py experiment=contacts_esm callbacks.start.weights=FOLDER [callbacks.start.frozen=true]

The folder holds the weights, config.json and, for other alphabets than ESM-2's, vocab.txt.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import nn

from zoo.attention.esm_trunk import fill_trunk, require_shape
from zoo.attention.pretrained import Checkpoint, WeightsError
from zoo.domain.start import StartFrom
from zoo.proteins.alphabet import LETTERS, RESIDUES
from zoo.proteins.esm import CLASS, END, EsmAlphabet
from zoo.proteins.residues import EsmResidues
from zoo.proteins.sequence_model import SequencePredictor

ORDER = (*LETTERS[:RESIDUES], "X", CLASS, END)  # the rows of `EsmResidues`


class StartFromEsm(StartFrom):
    """Gives `EsmResidues` its table and backbone; the map of pairs stays new. `frozen`: the language model stays as it
    is, and only the map of pairs learns.
    """

    def __init__(self, weights: str, frozen: bool = False):
        super().__init__(weights)
        self.frozen = frozen

    @classmethod
    def problems(cls, weights: str, frozen: bool = False) -> list[str]:
        return super().problems(weights)

    def unchanged(self, module: SequencePredictor) -> Iterator[nn.Module]:
        if self.frozen:
            yield module.backbone.residues

    def load(self, module: SequencePredictor, checkpoint: Checkpoint) -> None:
        residues = module.backbone.residues
        if not isinstance(residues, EsmResidues):
            raise WeightsError(
                f"{checkpoint.source} puts a class and an end token around a sequence and the model is a "
                f"{type(residues).__name__}: give backbone=sequence_map_esm2"
            )
        require_shape(residues.encoder, checkpoint, "backbone.residues.encoder")
        tokens = EsmAlphabet.of(checkpoint).tokens
        if lost := [token for token in ORDER if token not in tokens]:
            raise WeightsError(f"{checkpoint.source} is no language model of proteins: it lacks {', '.join(lost[:4])}")
        rows = torch.tensor([tokens.index(token) for token in ORDER])
        fill_trunk(residues, checkpoint, rows, table="table", backbone="encoder")
