"""DNA as k-mers side by side, without overlap: the tokens of Nucleotide Transformer (Dalla-Torre et al. 2024).

From the left, k known bases are one token. Where fewer are left before an unknown base or the end, each is a token of
its own, and so is each unknown base; after it, k-mers begin anew. One class token stands in front.

Axes: B batch, L bases, n tokens, D model width.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int, Integer
from torch import Tensor, nn

from zoo.attention import Padding
from zoo.genomics.embed import PAD, UNKNOWN, Embedding, Tokens
from zoo.genomics.sequences import LETTERS

CLASS = "<cls>"


@dataclass(frozen=True)
class OwnedTokens(Tokens):
    """Tokens of different sizes. owner: which token each base belongs to; -1 for padding. The class token has none."""

    owner: Integer[Tensor, "B L"]

    def to_bases(self, per_token: Float[Tensor, "B n"], length: int) -> Float[Tensor, "B L"]:
        """A score per token spread evenly over its own bases; the class token's is nobody's."""
        size = self._of_tokens((self.owner >= 0)[..., None].to(per_token))[..., 0]
        return ((per_token / size.clamp(min=1)).gather(1, self.owner.clamp(min=0)) * (self.owner >= 0))[:, :length]

    def shares(self, spans: Integer[Tensor, "B S 2"]) -> Float[Tensor, "B n S"]:
        base = torch.arange(self.owner.shape[1], device=spans.device)[:, None]
        start, end = spans[:, None].unbind(-1)
        inside = ((base >= start) & (base < end)).float()
        size = self._of_tokens((self.owner >= 0)[..., None].float())
        return self._of_tokens(inside) / size.clamp(min=1)

    def _of_tokens(self, per_base: Float[Tensor, "B L S"]) -> Float[Tensor, "B n S"]:
        """Sums over each token's own bases."""
        sums = per_base.new_zeros(len(per_base), self.tokens.shape[1], per_base.shape[2])
        token = self.owner.clamp(min=0)[..., None].expand_as(per_base)
        return sums.scatter_add_(1, token, per_base * (self.owner >= 0)[..., None])


def words(k: int) -> list[str]:
    """What each number stands for: all k-mers, A C G T N alone, the class token."""
    kmers = torch.cartesian_prod(*[torch.arange(4)] * k).view(-1, k).tolist()
    return ["".join(LETTERS[base] for base in kmer) for kmer in kmers] + [*LETTERS, CLASS]


def numbered(codes: Integer[Tensor, "B L"], k: int) -> tuple[Int[Tensor, "B n"], Int[Tensor, "B L"]]:
    """(number of each token, -1 where a sequence has ended; which token each base belongs to, -1 for padding)"""
    letters = codes.long()
    length = codes.shape[1]
    place = torch.arange(length, device=codes.device).expand(codes.shape)
    unknown, present = letters >= UNKNOWN, letters != PAD
    begins = torch.where(unknown, place + 1, 0).cummax(1).values  # of the stretch of known bases around each
    ends = torch.where(unknown, place, length).flip(1).cummin(1).values.flip(1)
    inside, whole = place - begins, (ends - begins) // k * k
    in_kmer = ~unknown & (inside < whole)
    opens = present & (~in_kmer | (inside % k == 0))
    owner = torch.where(present, opens.cumsum(1), -1)  # token 0 is the class token
    powers = 4 ** torch.arange(k - 1, -1, -1, device=codes.device)
    kmer = (F.pad(letters, (0, k - 1)).unfold(1, k, 1) * powers).sum(-1)
    numbers = torch.full((len(codes), 1 + int(opens.sum(1).max())), -1, device=codes.device)
    numbers[:, 0] = 4**k + len(LETTERS)
    row, column = opens.nonzero(as_tuple=True)
    numbers[row, owner[row, column]] = torch.where(in_kmer, kmer, 4**k + letters)[row, column]
    return numbers, owner


class KmerBlocks(Embedding):
    """k-mers side by side, leftovers as single bases, a class token in front."""

    def __init__(self, dim: int, k: int = 6, dropout: float = 0.0):
        super().__init__()
        self.k = self.stride = k
        self.table = nn.Embedding(4**k + len(LETTERS) + 1, dim)
        nn.init.trunc_normal_(self.table.weight, std=0.02)
        self.dropout = nn.Dropout(dropout)

    def forward(self, codes: Integer[Tensor, "B L"]) -> OwnedTokens:
        numbers, owner = numbered(codes, self.k)
        present = numbers >= 0
        x = self.dropout(self.table(numbers.clamp(min=0))) * present[..., None]
        mask = None if bool(present.all()) else Padding(present)
        return OwnedTokens(x, mask, self.stride, 0, 0, owner)

    def names(self, codes: Integer[Tensor, "B L"]) -> list[list[str]]:
        spelled, (numbers, _) = words(self.k), numbered(codes, self.k)
        return [[spelled[number] for number in row if number >= 0] for row in numbers.tolist()]
