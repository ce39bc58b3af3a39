"""How tokens become one logit, beside attention pooling: the strongest decide."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from zoo.attention import Attend, Padding
from zoo.attention.masks import Mask


class StrongestPool(nn.Module):
    """Each head scores every token and gives sum_i softmax(z)_i z_i, its strongest scores: [B, n, D] -> [B, H].

    The Boltzmann operator, a smooth maximum (Asadi & Littman 2017), written as attention whose keys and values are the
    scores themselves, so that observers see which token spoke. One site, or one pair of sites, can carry a sequence, as
    in multiple-instance learning; a mean over tokens would bury it (attention pooling starts as one).
    """

    def __init__(self, dim: int, num_heads: int, dropout: float = 0.0):
        super().__init__()
        self.score = nn.Sequential(nn.LayerNorm(dim), nn.Dropout(dropout), nn.Linear(dim, num_heads))
        self.attend = Attend()

    def forward(self, tokens: Float[Tensor, "B n D"], mask: Mask | None = None) -> Float[Tensor, "B H"]:
        z = self.score(tokens).transpose(1, 2)[..., None]  # [B, H, n, 1]
        if mask is not None:
            mask = None if mask.present is None else Padding(mask.present)
        return self.attend(torch.ones_like(z[:, :, :1]), z, z, mask).flatten(1)


class Total(nn.Module):
    """The heads' sum and a constant: [B, H] -> [B, 1]."""

    def __init__(self) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(1))

    def forward(self, strongest: Float[Tensor, "B H"]) -> Float[Tensor, "B 1"]:
        return strongest.sum(-1, keepdim=True) + self.bias
