"""DNA -> tokens. Codes are 0-3 for ACGT, 4 for an unknown base (N and other IUPAC letters), 5 for padding.

Axes: B batch, L bases, n tokens, D model width.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Integer
from torch import Tensor, nn

from zoo.attention import Padding
from zoo.genomics.motifs import spell

UNKNOWN, PAD = 4, 5


@dataclass(frozen=True)
class Tokens:
    """tokens [B, n, D]; mask: who exists (None: all); stride: token t stands at bases t*stride to (t+1)*stride, and
    its embedding sees `left` bases more before and `right` bases more after them.
    """

    tokens: Float[Tensor, "B n D"]
    mask: Padding | None
    stride: int
    left: int
    right: int

    def to_bases(self, per_token: Float[Tensor, "B n"], length: int) -> Float[Tensor, "B L"]:
        """A score per token spread evenly over the bases that the token sees.

        A token that recognises a site carries the evidence of all its bases, however sharp the attention to it is.
        """
        span = self.left + self.stride + self.right
        at_bases = torch.zeros(len(per_token), 1, length, device=per_token.device, dtype=per_token.dtype)
        places = torch.arange(per_token.shape[1], device=per_token.device) * self.stride
        at_bases[:, 0, places] = per_token / span
        padded = F.pad(at_bases, (self.right + self.stride - 1, self.left))
        return F.avg_pool1d(padded, span, stride=1)[:, 0] * span

    def shares(self, spans: Integer[Tensor, "B S 2"]) -> Float[Tensor, "B n S"]:
        """How much of each token's own bases lies in each span [start, end)."""
        first = torch.arange(self.tokens.shape[1], device=spans.device)[:, None] * self.stride
        start, end = spans[:, None].unbind(-1)
        inside = torch.minimum(first + self.stride, end) - torch.maximum(first, start)
        return inside.clamp(min=0) / self.stride


class Embedding(nn.Module):
    """What turns codes [B, L] into `Tokens`."""

    stride: int

    @abstractmethod
    def forward(self, codes: Integer[Tensor, "B L"]) -> Tokens:
        """One token for each `stride` bases."""

    def names(self, codes: Integer[Tensor, "B L"]) -> list[list[str]]:
        """What each token of each sequence stands for: the bases that it stands at."""
        words = spell(codes.clamp(max=UNKNOWN).cpu().numpy())
        lengths = (codes != PAD).sum(1).tolist()
        step = self.stride
        return [[word[i : i + step] for i in range(0, n, step)] for word, n in zip(words, lengths, strict=True)]


def one_hot(codes: Integer[Tensor, "B L"]) -> Float[Tensor, "B 4 L"]:
    """A 1 for the base; 1/4 each for an unknown base; zeros for padding."""
    table = torch.zeros(6, 4, device=codes.device)
    table[:4] = torch.eye(4, device=codes.device)
    table[UNKNOWN] = 0.25
    return table[codes.long()].transpose(1, 2)


class ConvStem(Embedding):
    """One-hot bases through a wide convolution, then residual narrow ones, then pooling to one token in `stride` bases.

    The first kernels are the length of a binding site, so that the attention above them relates sites, not letters
    (as the stems of Enformer and SATORI do). Padding stays exactly zero, so a sequence gives the same tokens whatever
    it is padded to.

    both_strands: each wide kernel reads its window on either strand and the better counts (DeepBind, Alipanahi et al.
    2015), so that one kernel does for a site in both directions, and which direction it was is not passed on.
    """

    def __init__(
        self,
        dim: int,
        kernel: int = 15,
        layers: int = 2,
        inner_kernel: int = 5,
        stride: int = 1,
        both_strands: bool = False,
        dropout: float = 0.0,
    ):
        super().__init__()
        if wrong := self.problems(kernel, inner_kernel, layers, stride):
            raise ValueError(wrong[0])
        self.stride, self.both_strands = stride, both_strands
        self.first = nn.Conv1d(4, dim, kernel, padding=kernel // 2)
        self.rest = nn.ModuleList(
            nn.Conv1d(dim, dim, inner_kernel, padding=inner_kernel // 2) for _ in range(layers - 1)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(dim) for _ in range(layers))
        self.dropout = nn.Dropout(dropout)

    @classmethod
    def problems(
        cls, kernel: int = 15, inner_kernel: int = 5, layers: int = 2, stride: int = 1, **arguments: object
    ) -> list[str]:
        even = [
            f"{n}={k} must be odd to stay centred"
            for n, k in (("kernel", kernel), ("inner_kernel", inner_kernel))
            if k % 2 == 0
        ]
        few = [f"{n}={k} must be at least 1" for n, k in (("layers", layers), ("stride", stride)) if k < 1]
        return even + few

    def forward(self, codes: Integer[Tensor, "B L"]) -> Tokens:
        codes = F.pad(codes, (0, -codes.shape[1] % self.stride), value=PAD)
        present = codes != PAD
        keep = present[:, None].float()
        x = F.gelu(self._norm(0, self._sites(one_hot(codes)))) * keep
        for i, convolution in enumerate(self.rest, start=1):
            x = x + F.gelu(self._norm(i, convolution(x))) * keep
        if self.stride > 1:
            x = F.max_pool1d(x.masked_fill(~present[:, None], -1e4), self.stride)
            present = present.view(len(codes), -1, self.stride).any(-1)
            x = x * present[:, None]
        mask = None if bool(present.all()) else Padding(present)
        half = self.first.kernel_size[0] // 2 + sum(c.kernel_size[0] // 2 for c in self.rest)
        return Tokens(self.dropout(x.transpose(1, 2)), mask, self.stride, half, half)

    def _sites(self, bases: Float[Tensor, "B 4 L"]) -> Float[Tensor, "B D L"]:
        forward = self.first(bases)
        if not self.both_strands:
            return forward
        turned = self.first.weight.flip(1, 2)  # ACGT backwards is the complement
        return torch.maximum(forward, F.conv1d(bases, turned, self.first.bias, padding=self.first.padding))

    def _norm(self, i: int, x: Float[Tensor, "B D L"]) -> Float[Tensor, "B D L"]:
        return self.norms[i](x.transpose(1, 2)).transpose(1, 2)


class KmerEmbedding(Embedding):
    """Overlapping k-mers, one token at each base: the k-mer that starts there (DNABERT, Ji et al. 2021).

    A k-mer that holds an unknown base or runs over the end is one `unknown` token.
    """

    def __init__(self, dim: int, k: int = 6, dropout: float = 0.0):
        super().__init__()
        self.k, self.stride = k, 1
        self.table = nn.Embedding(4**k + 1, dim)
        nn.init.trunc_normal_(self.table.weight, std=0.02)
        self.register_buffer("powers", 4 ** torch.arange(k - 1, -1, -1), persistent=False)
        self.dropout = nn.Dropout(dropout)

    def forward(self, codes: Integer[Tensor, "B L"]) -> Tokens:
        windows = F.pad(codes.long(), (0, self.k - 1), value=PAD).unfold(1, self.k, 1)  # [B, L, k]
        kmers = (windows * self.powers).sum(-1).masked_fill((windows > 3).any(-1), 4**self.k)
        present = codes != PAD
        mask = None if bool(present.all()) else Padding(present)
        return Tokens(self.dropout(self.table(kmers)), mask, 1, 0, self.k - 1)
