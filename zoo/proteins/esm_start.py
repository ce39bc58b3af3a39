"""Published weights of ESM-2 and ESM-1b (Lin et al. 2023; Rives et al. 2021) for contacts from a sequence alone.

    python train.py experiment=contacts_esm callbacks.start.weights=FOLDER [callbacks.start.frozen=true]

The folder holds the weights, config.json and, for other alphabets than ESM-2's, vocab.txt.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor, nn

from zoo.attention.esm import STAYS, EsmShape, backbone_rules, left_out, named_weights
from zoo.attention.masked_lm import MASKED_IN_TRAINING
from zoo.attention.pretrained import Checkpoint, WeightsError
from zoo.attention.renaming import Rule, fill
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
        shape, residues = EsmShape.of(checkpoint), module.backbone.residues
        if not isinstance(residues, EsmResidues):
            raise WeightsError(
                f"{checkpoint.source} puts a class and an end token around a sequence and the model is a "
                f"{type(residues).__name__}: give backbone=sequence_map_esm2"
            )
        if misfits := shape.misfits(residues.encoder):
            wanted = " ".join(f"backbone.residues.encoder.{misfit}" for misfit in misfits)
            raise WeightsError(f"{checkpoint.source} has another shape than the model: give {wanted}")
        tokens = EsmAlphabet.of(checkpoint).tokens
        if lost := [token for token in ORDER if token not in tokens]:
            raise WeightsError(f"{checkpoint.source} is no language model of proteins: it lacks {', '.join(lost[:4])}")
        rows = torch.tensor([tokens.index(token) for token in ORDER])
        # Without mask tokens, token dropout is a constant, which the table can carry.
        scale = 1 - MASKED_IN_TRAINING if shape.token_dropout else 1.0

        def in_our_order(table: Float[Tensor, "V D"]) -> Float[Tensor, "words D"]:
            return table[rows] * scale

        rules = [
            Rule("table.weight", "embeddings.word_embeddings.weight", made=in_our_order),
            *backbone_rules(shape, ours="encoder."),
        ]
        fill(residues, named_weights(checkpoint), rules, (*left_out(shape), "lm_head.*"), STAYS, checkpoint.source)
