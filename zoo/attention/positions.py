"""Where a token stands. Each kind of position is a module with three hooks; the kinds that do not use a hook inherit
the one that does nothing.

    tokens   = positions(tokens)            added to the tokens before the first block
    rotation = positions.rotation(...)      turns queries and keys in every block
    bias     = positions.bias(...)          added to the logits in every block

Axes: B batch, H heads, n tokens, d head width, D model width.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from zoo.attention.bias import Bias, OffsetBias
from zoo.attention.rotary import Rotation


class Positions(nn.Module):
    """No positions at all: the backbone is permutation-equivariant."""

    def forward(self, tokens: Float[Tensor, "B n D"]) -> Float[Tensor, "B n D"]:
        return tokens

    def rotation(
        self, tokens: Float[Tensor, "B m D"], head_dim: int, prefix: int, places: Float[Tensor, "#B n axes"] | None
    ) -> Rotation | None:
        """For `tokens` of which the first `prefix` stand nowhere; places: of the others, if not one after another."""
        if places is not None:
            raise ValueError(f"{type(self).__name__} positions count tokens one after another and read no `places`")
        return None

    def bias(self, prefix: int) -> Bias | None:
        return None


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


class Normed(Positions):
    """A LayerNorm after the positions of `inner` were added, before the first block (BERT, ESM-1b)."""

    def __init__(self, inner: Positions, dim: int, eps: float = 1e-5):
        super().__init__()
        self.inner, self.norm = inner, nn.LayerNorm(dim, eps)

    def forward(self, tokens: Float[Tensor, "B n D"]) -> Float[Tensor, "B n D"]:
        return self.norm(self.inner(tokens))

    def rotation(
        self, tokens: Float[Tensor, "B m D"], head_dim: int, prefix: int, places: Float[Tensor, "#B n axes"] | None
    ) -> Rotation | None:
        return self.inner.rotation(tokens, head_dim, prefix, places)

    def bias(self, prefix: int) -> Bias | None:
        return self.inner.bias(prefix)


class LearnedGrid(nn.Module):
    """A learned vector for each place of a grid, interpolated to any other grid (bicubic, antialiased, by size).

    Not a hook of the backbone: images of one batch have grids of their own, so the embedding adds `grid(h, w)` to each.
    """

    def __init__(self, height: int, width: int, dim: int):
        super().__init__()
        self.table = nn.Parameter(torch.empty(1, dim, height, width))
        nn.init.trunc_normal_(self.table, std=0.02)

    def forward(self, height: int, width: int) -> Float[Tensor, "1 n D"]:
        """The vectors of a `height` x `width` grid, row by row."""
        table = self.table
        if table.shape[2:] != (height, width):
            kind = torch.promote_types(table.dtype, torch.float32)  # there is no bicubic in half precision
            table = F.interpolate(table.to(kind), (height, width), mode="bicubic", antialias=True).to(table.dtype)
        return table.flatten(2).mT


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

    The halves convention of GPT-NeoX and ESM: component t is paired with t + d/2. With `axes` = 2 the pairs are dealt
    out to the axes in turn, a part of equal size to each (axial; Heo et al. 2024), and `places` must be given.
    """

    def __init__(self, base: float = 10_000.0, axes: int = 1):
        super().__init__()
        self.base, self.axes = base, axes

    def rotation(
        self, tokens: Float[Tensor, "B m D"], head_dim: int, prefix: int, places: Float[Tensor, "#B n axes"] | None
    ) -> Rotation:
        if head_dim % (2 * self.axes):
            raise ValueError(
                f"rotary positions on {self.axes} axes need a head width that {2 * self.axes} divides, got {head_dim}"
            )
        if places is None:
            if self.axes > 1:
                raise ValueError(f"rotary positions on {self.axes} axes: say where the tokens stand (`places`)")
            places = torch.arange(tokens.shape[1] - prefix, device=tokens.device)[None, :, None]
        elif places.shape[-1] != self.axes:
            raise ValueError(f"places: expected {self.axes} numbers a token, got {places.shape[-1]}")
        frequency = self.frequencies(head_dim // self.axes, tokens.device)
        angle = (places[..., None].float() * frequency).flatten(-2)  # [#B, n, d / 2]
        angle = F.pad(angle, (0, 0, prefix, 0))  # the prefix is not turned
        return Rotation.by(angle, tokens.dtype)

    def frequencies(self, width: int, device: torch.device) -> Float[Tensor, " pairs"]:
        """Radians a place, for each pair of the `width` components that an axis has."""
        return self.base ** (-torch.arange(0, width, 2, device=device) / width)


class StoredRotary(Rotary):
    """Rotary positions on one axis whose frequencies are saved and loaded with the weights.

    Published models carry theirs, rounded as they were in training: half precision is off by up to .2 radians at place
    1,000.
    """

    def __init__(self, head_dim: int, base: float = 10_000.0):
        super().__init__(base)
        self.register_buffer("frequency", super().frequencies(head_dim, torch.device("cpu")))

    def frequencies(self, width: int, device: torch.device) -> Float[Tensor, " pairs"]:
        if width != 2 * len(self.frequency):
            raise ValueError(f"head_dim: the frequencies are for heads of {2 * len(self.frequency)}, got {width}")
        return self.frequency.to(device, torch.float32)


class RelativeBias(Positions):
    """A learned number for each head and signed distance, clipped at `reach`; one for pairs with the prefix."""

    def __init__(self, num_heads: int, reach: int):
        super().__init__()
        self.table = nn.Parameter(torch.zeros(num_heads, 2 * reach + 2))

    def bias(self, prefix: int) -> OffsetBias:
        return OffsetBias(self.table, prefix)
