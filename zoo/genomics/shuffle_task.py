"""A second thing to learn, for which no labels are needed: which sequences are real, and which are their shuffles.

Dinucleotide shuffles keep composition and lose every motif, so the stem must learn motifs to tell them apart, also
those that stand equally often in both classes and matter by their company alone, as in the strict planted library
(`zoo.genomics.library`): a pair cannot be seen before its sites are.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float, Integer
from torch import Tensor, nn

from zoo.attention import AttentionPool
from zoo.attention.backbone import Encoded
from zoo.genomics.shuffle import dinucleotide_shuffle

SHARE = 0.25  # of a batch, shuffled


class ShuffleTask(nn.Module):
    """Its own pooling and logit on the shared tokens."""

    def __init__(self, dim: int, num_heads: int):
        super().__init__()
        self.pool = AttentionPool(dim, num_heads)
        self.head = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, 1))

    @staticmethod
    def shuffles(codes: Integer[Tensor, "B L"]) -> Integer[Tensor, "b L"]:
        """Of the first sequences of a batch; drawn from torch's random state, so that a resumed run draws the same."""
        some = codes[: max(1, round(SHARE * len(codes)))].cpu().numpy()
        seed = int(torch.randint(2**31, ()))
        return torch.from_numpy(dinucleotide_shuffle(some, seed)).to(codes)

    def loss(self, encoded: Encoded, num_real: int) -> Float[Tensor, ""]:
        """Cross-entropy; the first `num_real` are real, the others shuffled."""
        logit = self.head(self.pool(encoded.tokens, encoded.mask)).squeeze(-1)
        real = (torch.arange(len(logit), device=logit.device) < num_real).to(logit)
        return F.binary_cross_entropy_with_logits(logit, real)
