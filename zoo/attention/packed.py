"""Several sequences in one row, each to itself: no padding where lengths differ (NaViT, Dehghani et al. 2023)."""

from __future__ import annotations

from collections import defaultdict

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Int
from torch import Tensor

from zoo.attention.masks import Mask

ABSENT = -1


class Packed(Mask):
    """Tokens see those of their own sequence.

    segment: which sequence of its row each token belongs to, in one piece; -1 where there is none (the row's end).
    """

    def __init__(self, segment: Int[Tensor, "B n"]):
        if segment.ndim != 2 or segment.is_floating_point():
            raise ValueError(f"segment: expected whole numbers, B x n, got {segment.dtype} {tuple(segment.shape)}")
        self.segment = segment
        self._groups: list[tuple[Tensor, int]] | None = None

    @classmethod
    def of_lengths(cls, lengths: list[list[int]], width: int | None = None, device=None) -> Packed:
        """From the lengths of each row's sequences."""
        width = max(map(sum, lengths)) if width is None else width
        segment = torch.full((len(lengths), width), ABSENT, device=device)
        for row, parts in enumerate(lengths):
            numbers = torch.repeat_interleave(torch.arange(len(parts)), torch.tensor(parts))
            segment[row, : len(numbers)] = numbers.to(segment)
        return cls(segment)

    @property
    def present(self) -> Bool[Tensor, "B n"]:
        return self.segment != ABSENT

    def rows(self, start: int, stop: int, keys: int, device: torch.device) -> Bool[Tensor, "B 1 rows keys"]:
        query, key = self.segment[:, start:stop, None], self.segment[:, None]
        return ((query == key) & (key != ABSENT))[:, None]

    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Sequences of one length at a time, by the fused kernel, without padding."""
        b, h, n, _ = q.shape
        if (len(self.segment), self.segment.shape[1]) != (b, n) or k.shape[2] != n:
            raise ValueError(
                f"segment: expected a number for each token of {b} rows of {n}, got {tuple(self.segment.shape)} "
                f"(and {k.shape[2]} keys)"
            )
        flat = [x.transpose(1, 2).flatten(0, 1) for x in (q, k, v)]  # each [B n, H, .]
        parts, places = [], []
        for place, length in self._of_equal_length():
            cut = (x[place].unflatten(0, (-1, length)).transpose(1, 2) for x in flat)
            parts.append(F.scaled_dot_product_attention(*cut).transpose(1, 2).flatten(0, 1))
            places.append(place)
        out = q.new_zeros(b * n, h, v.shape[-1])
        if parts:
            out = out.index_copy(0, torch.cat(places), torch.cat(parts))
        return out.unflatten(0, (b, n)).transpose(1, 2)

    def _of_equal_length(self) -> list[tuple[Tensor, int]]:
        """(places in the flattened batch of all sequences of one length, that length)"""
        if self._groups is None:
            starts = defaultdict(list)
            for row, segment in enumerate(self.segment.tolist()):
                at, seen = 0, set()
                for end in range(1, len(segment) + 1):
                    if end == len(segment) or segment[end] != segment[at]:
                        if segment[at] != ABSENT:
                            if segment[at] in seen:
                                raise ValueError(f"segment: sequence {segment[at]} of row {row} is in several pieces")
                            seen.add(segment[at])
                            starts[end - at].append(row * len(segment) + at)
                        at = end
            device = self.segment.device
            self._groups = [
                ((torch.tensor(first, device=device)[:, None] + torch.arange(length, device=device)).ravel(), length)
                for length, first in starts.items()
            ]
        return self._groups
