"""Images of different sizes in one tensor, two ways, with one interface: each with padding in a row of its own, or
packed one after the other (Patch n' Pack, Dehghani et al. 2023).

    rows = layout.rows(tokens)              [T, D] -> [B, n, D]        what the backbone reads
    per_image, present = layout.images(rows)  -> [N, longest, D]       one row for each image again

Axes: N images, T all of their tokens, B rows, n places in a row, D width.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool, Float, Integer
from torch import Tensor

from zoo.attention import Mask, Packed, Padding

Arrangement = Literal["packed", "padded"]


@dataclass(frozen=True, eq=False)
class Layout:
    """lengths: tokens of each image. place: where each of all tokens stands in the flattened rows; None: one after
    the other, nothing between. shape: (rows, places in a row)."""

    lengths: tuple[int, ...]
    place: Integer[Tensor, " T"] | None
    shape: tuple[int, int]
    mask: Mask | None

    @classmethod
    def padded(cls, lengths: Sequence[int], device: torch.device | None = None) -> Layout:
        """A row for each image, as long as the longest."""
        lengths = tuple(lengths)
        shape = (len(lengths), max(lengths))
        if min(lengths) == max(lengths):
            return cls(lengths, None, shape, None)
        present = _present(lengths, device)
        return cls(lengths, present.flatten().nonzero()[:, 0], shape, Padding(present))

    @classmethod
    def packed(cls, lengths: Sequence[int], device: torch.device | None = None) -> Layout:
        """All images in one row: no padding, whatever their sizes. The attention runs once for each length."""
        lengths = tuple(lengths)
        if min(lengths) == max(lengths):
            return cls(lengths, None, (len(lengths), lengths[0]), None)
        numbers = torch.repeat_interleave(torch.arange(len(lengths)), torch.tensor(lengths))
        return cls(lengths, None, (1, sum(lengths)), Packed(numbers[None].to(device)))

    @property
    def pad_fraction(self) -> float:
        """Share of the places that hold nothing."""
        return 1 - sum(self.lengths) / (self.shape[0] * self.shape[1])

    def rows(self, tokens: Float[Tensor, "T D"]) -> Float[Tensor, "B n D"]:
        if self.place is None:
            return tokens.unflatten(0, self.shape)
        flat = tokens.new_zeros(self.shape[0] * self.shape[1], tokens.shape[1])
        return flat.index_copy(0, self.place, tokens).unflatten(0, self.shape)

    def tokens(self, rows: Float[Tensor, "B n D"]) -> Float[Tensor, "T D"]:
        """The inverse of `rows`."""
        flat = rows.flatten(0, 1)
        return flat if self.place is None else flat[self.place]

    def images(self, rows: Float[Tensor, "B n D"]) -> tuple[Float[Tensor, "N longest D"], Bool[Tensor, "N longest"]]:
        """A row for each image, and which of its places hold a token."""
        present = _present(self.lengths, rows.device)
        if rows.shape[0] == len(self.lengths):
            return rows, present
        out = rows.new_zeros(present.numel(), rows.shape[2])
        out = out.index_copy(0, present.flatten().nonzero()[:, 0], self.tokens(rows))
        return out.unflatten(0, present.shape), present


def _present(lengths: tuple[int, ...], device: torch.device | None) -> Bool[Tensor, "N longest"]:
    return torch.arange(max(lengths), device=device) < torch.tensor(lengths, device=device)[:, None]


def layout(lengths: Sequence[int], arrangement: Arrangement, device: torch.device | None = None) -> Layout:
    return Layout.packed(lengths, device) if arrangement == "packed" else Layout.padded(lengths, device)
