"""From the residues of a sequence to what the shared backbone says of each: from scratch, or as ESM reads them.

Axes: B sequences, L residues, D width of the backbone.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Integer
from torch import Tensor, nn

from zoo.attention import Backbone, Padding
from zoo.proteins.alphabet import GAP

CLASS, END = GAP + 1, GAP + 2  # rows of ESM's table behind those of the residues and of the unknown one


class Residues(nn.Module):
    """One token for each residue; a letter that says less than one has a vector of its own.

    in_front: how many tokens of the backbone come before the first residue.
    """

    in_front = 0
    words = GAP + 1

    def __init__(self, encoder: Backbone):
        super().__init__()
        if encoder.num_prefix:
            raise ValueError(f"num_prefix={encoder.num_prefix}: a pair of residues has no prefix token; give 0")
        self.encoder = encoder
        self.table = nn.Embedding(self.words, encoder.dim)

    @property
    def dim(self) -> int:
        return self.encoder.dim

    def forward(self, codes: Integer[Tensor, "B L"], present: Bool[Tensor, "B L"]) -> Float[Tensor, "B L D"]:
        """codes: of `zoo.proteins.alphabet`; present: True up to the end of each sequence."""
        return self.encoder(self.table(codes), Padding(present)).body


class EsmResidues(Residues):
    """The same between the class and the end token that ESM puts around a sequence. Its weights come with
    `zoo.proteins.esm_start.StartFromEsm`."""

    in_front = 1
    words = GAP + 3

    def forward(self, codes: Integer[Tensor, "B L"], present: Bool[Tensor, "B L"]) -> Float[Tensor, "B L D"]:
        place, length = torch.arange(codes.shape[1] + 2, device=codes.device), present.sum(1, keepdim=True)
        framed = nn.functional.pad(codes, (1, 1), value=CLASS)
        framed = torch.where(place == length + 1, END, framed)
        return self.encoder(self.table(framed), Padding(place <= length + 1)).body[:, 1:-1]
