"""Who may see whom. A mask is an object that gives each way of running attention the smallest form it can use.

Axes: B batch, H heads, q query rows, n keys.
"""

from __future__ import annotations

from typing import Protocol

import torch
from jaxtyping import Bool
from torch import Tensor


class Mask(Protocol):
    """Who may see whom; `True` means *may see*. No mask at all (`None`) means that everyone sees everyone."""

    @property
    def present(self) -> Bool[Tensor, "B n"] | None:
        """Which tokens exist at all, as queries; `None` if all do. Observers leave absent rows out."""

    def fused(self) -> Bool[Tensor, "#B #H #q n"]:
        """The broadcastable boolean for `F.scaled_dot_product_attention`."""

    def rows(self, start: int, stop: int) -> Bool[Tensor, "#B #H #q n"]:
        """The same for the query rows `start:stop`."""


class Padding:
    """Sequences of different lengths in one batch: nobody sees the padding. Holds B x n, never n x n."""

    def __init__(self, present: Bool[Tensor, "B n"]):
        if present.dtype != torch.bool or present.ndim != 2:
            raise ValueError(f"present: expected a boolean B x n, got {present.dtype} {tuple(present.shape)}")
        self._present = present

    @property
    def present(self) -> Bool[Tensor, "B n"]:
        return self._present

    def fused(self) -> Bool[Tensor, "B 1 1 n"]:
        return self._present[:, None, None, :]

    def rows(self, start: int, stop: int) -> Bool[Tensor, "B 1 1 n"]:
        return self.fused()

    def with_prefix(self, count: int) -> Padding:
        """The same mask after `count` tokens, which always exist, were put in front."""
        ahead = self._present.new_ones(self._present.shape[0], count)
        return Padding(torch.cat([ahead, self._present], dim=1))
