"""How strongly a token is drawn to another before any content is compared: a number added to the logit.

Axes: H heads, n tokens.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from jaxtyping import Float
from torch import Tensor


class Bias(ABC):
    """Given in blocks of query rows, so that n x n of it need not exist, and its gradient gathered the same way."""

    @property
    @abstractmethod
    def tensors(self) -> tuple[Tensor, ...]:
        """What `rows` is computed from, and what gets the gradient."""

    @abstractmethod
    def rows(self, start: int, stop: int, keys: int, *tensors: Tensor) -> Float[Tensor, "#B #H rows keys"]:
        """The query rows `start:stop`, from `tensors`, which stand in for `self.tensors`."""

    @property
    def needs_gradient(self) -> bool:
        return torch.is_grad_enabled() and any(t.requires_grad for t in self.tensors)


class DenseBias(Bias):
    """Written out: `[B, H, n, n]`, any of B and H 1. A relation's strength in each head, say."""

    def __init__(self, value: Float[Tensor, "#B #H n n"]):
        if value.ndim != 4:
            raise ValueError(f"value: expected [B, H, n, n] (B and H may be 1), got {tuple(value.shape)}")
        self.value = value

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        return (self.value,)

    def rows(self, start: int, stop: int, keys: int, *tensors: Tensor) -> Float[Tensor, "#B #H rows keys"]:
        return tensors[0][:, :, start:stop]


class OffsetBias(Bias):
    """A number for each head and signed distance key - query, clipped at `reach` (Raffel et al. 2020, unbinned).

    table: [H, 2 reach + 2]; column reach + distance, and the last one for pairs with one of `prefix` tokens.
    """

    def __init__(self, table: Float[Tensor, "H columns"], prefix: int = 0):
        self.table, self.prefix = table, prefix
        self.reach = (table.shape[1] - 2) // 2

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        return (self.table,)

    def rows(self, start: int, stop: int, keys: int, *tensors: Tensor) -> Float[Tensor, "1 H rows keys"]:
        (table,) = tensors
        offset = torch.arange(-(stop - 1), keys - start, device=table.device)
        line = table[:, offset.clamp(-self.reach, self.reach) + self.reach]  # one number for each diagonal
        rows = line.unfold(1, keys, 1).flip(1)  # row i starts where its distances do
        if self.prefix:
            outside = torch.arange(start, stop, device=table.device)[:, None] < self.prefix
            outside = outside | (torch.arange(keys, device=table.device) < self.prefix)
            rows = torch.where(outside, table[:, -1, None, None], rows)
        return rows[None]
