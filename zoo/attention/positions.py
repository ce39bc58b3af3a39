"""Where a token stands. Each kind of position is a module with two hooks; the kinds that do not use a hook inherit
the identity.

    tokens = positions(tokens)              added to the tokens before the first block
    q, k   = positions.rotate(q, k)         applied to queries and keys in every block

Axes: B batch, H heads, n tokens, d head width, D model width.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn


class Positions(nn.Module):
    """No positions at all: the backbone is permutation-equivariant."""

    def forward(self, tokens: Float[Tensor, "B n D"]) -> Float[Tensor, "B n D"]:
        return tokens

    def rotate(self, x: Float[Tensor, "B H n d"], prefix: int = 0) -> Float[Tensor, "B H n d"]:
        """Positions of `x`'s tokens after the first `prefix` ones, which stand nowhere, turned into its angles."""
        return x


class Learned(Positions):
    """One learned vector for each of `length` places, counted from the start.

    Shorter inputs take the first places, so that a sequence gives the same tokens however it is padded; for longer
    ones the table is interpolated linearly to their size (ViT, appendix D.1, for one axis).
    """

    def __init__(self, length: int, dim: int):
        super().__init__()
        self.table = nn.Parameter(torch.empty(1, length, dim))
        nn.init.trunc_normal_(self.table, std=0.02)

    def forward(self, tokens: Float[Tensor, "B n D"]) -> Float[Tensor, "B n D"]:
        n = tokens.shape[1]
        if n <= self.table.shape[1]:
            return tokens + self.table[:, :n]
        return tokens + F.interpolate(self.table.mT, size=n, mode="linear").mT


class Sinusoidal(Positions):
    """Sines and cosines of geometric wavelengths, nothing learned (Vaswani et al. 2017, section 3.5)."""

    def __init__(self, dim: int, base: float = 10_000.0):
        super().__init__()
        if dim % 2:
            raise ValueError(f"dim: sines and cosines come in pairs, so an even number is needed, got {dim}")
        self.register_buffer("frequency", base ** (-torch.arange(0, dim, 2) / dim), persistent=False)

    def forward(self, tokens: Float[Tensor, "B n D"]) -> Float[Tensor, "B n D"]:
        angle = torch.arange(tokens.shape[1], device=tokens.device)[:, None] * self.frequency
        return tokens + torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(-2).to(tokens.dtype)


class Rotary(Positions):
    """Queries and keys turned by their position, so that q . k depends on the distance alone (Su et al. 2021, eq. 34).

    The halves convention of GPT-NeoX and ESM: component t is paired with t + d/2.
    """

    def __init__(self, base: float = 10_000.0):
        super().__init__()
        self.base = base

    def rotate(self, x: Float[Tensor, "B H n d"], prefix: int = 0) -> Float[Tensor, "B H n d"]:
        width = x.shape[-1]
        if width % 2:
            raise ValueError(f"rotary positions need an even head width, got {width}")
        place = torch.arange(-prefix, x.shape[2] - prefix, device=x.device).clamp(min=0)
        frequency = self.base ** (-torch.arange(0, width, 2, device=x.device) / width)
        angle = place[:, None] * frequency
        cos, sin = angle.cos().to(x.dtype), angle.sin().to(x.dtype)
        first, second = x.chunk(2, dim=-1)
        return torch.cat([first * cos - second * sin, second * cos + first * sin], dim=-1)
