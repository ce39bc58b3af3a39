"""Who may see whom. A mask is an object that gives each way of running attention the smallest form it can use.

Axes: B batch, H heads, q query rows, n keys, d key width, e value width.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor


class Mask(ABC):
    """Who may see whom; `True` means *may see*. No mask at all (`None`) means that everyone sees everyone.

    A pattern overrides `rows`, and `attend` where it has a smaller form than q x n booleans.
    """

    @property
    def present(self) -> Bool[Tensor, "B n"] | None:
        """Which tokens exist at all, as queries; `None` if all do. Observers leave absent rows out."""
        return None

    @abstractmethod
    def rows(self, start: int, stop: int, keys: int, device: torch.device) -> Bool[Tensor, "#B #H #rows keys"]:
        """Who sees whom, for the query rows `start:stop`."""

    def attend(
        self, q: Float[Tensor, "B H q d"], k: Float[Tensor, "B H n d"], v: Float[Tensor, "B H n e"]
    ) -> Float[Tensor, "B H q e"] | None:
        """The attention under this mask by fused kernels alone, or `None` if that needs q x n booleans."""
        return None

    def with_prefix(self, count: int) -> Mask:
        """The same mask after `count` tokens were put in front, which see everyone and whom everyone sees."""
        return self if count == 0 else Prefixed(self, count)

    def __and__(self, other: Mask) -> Mask:
        return Both(self, other)


class Padding(Mask):
    """Sequences of different lengths in one batch: nobody sees the padding. Holds B x n, never n x n."""

    def __init__(self, present: Bool[Tensor, "B n"]):
        if present.dtype != torch.bool or present.ndim != 2:
            raise ValueError(f"present: expected a boolean B x n, got {present.dtype} {tuple(present.shape)}")
        self._present = present

    @property
    def present(self) -> Bool[Tensor, "B n"]:
        return self._present

    def rows(self, start: int, stop: int, keys: int, device: torch.device) -> Bool[Tensor, "B 1 1 n"]:
        return self._present[:, None, None, :]

    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return F.scaled_dot_product_attention(q, k, v, attn_mask=self._present[:, None, None, :])

    def with_prefix(self, count: int) -> Padding:
        """The same mask after `count` tokens, which always exist, were put in front."""
        ahead = self._present.new_ones(self._present.shape[0], count)
        return Padding(torch.cat([ahead, self._present], dim=1))


class Causal(Mask):
    """Each token sees itself and those before it."""

    def rows(self, start: int, stop: int, keys: int, device: torch.device) -> Bool[Tensor, "rows keys"]:
        query, key = query_and_key(start, stop, keys, device)
        return key <= query

    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return F.scaled_dot_product_attention(q, k, v, is_causal=True)


class SelfExcluding(Mask):
    """Each token sees all but itself: what it says of a place must come from the other places."""

    def rows(self, start: int, stop: int, keys: int, device: torch.device) -> Bool[Tensor, "rows keys"]:
        query, key = query_and_key(start, stop, keys, device)
        return key != query


class Dense(Mask):
    """Any pattern, written out; `[H, n, n]` gives each head a relation of its own.

    Holds what it is given, so this is for short inputs and for tests: `zoo.attention.edges` holds edges alone.
    """

    def __init__(self, allowed: Bool[Tensor, "*#B_H q n"]):
        if allowed.dtype != torch.bool or allowed.ndim not in (2, 3, 4):
            raise ValueError(f"allowed: expected booleans, [B, H,] q x n, got {allowed.dtype} {tuple(allowed.shape)}")
        self.allowed = allowed[None] if allowed.ndim == 3 else allowed

    def rows(self, start: int, stop: int, keys: int, device: torch.device) -> Bool[Tensor, "#B #H rows keys"]:
        return self.allowed[..., start:stop, :]


class Both(Mask):
    """Whom both masks allow, e.g. `Padding(present) & SelfExcluding()`."""

    def __init__(self, first: Mask, second: Mask):
        self.first, self.second = first, second

    @property
    def present(self) -> Bool[Tensor, "B n"] | None:
        parts = [mask.present for mask in (self.first, self.second) if mask.present is not None]
        return parts[0] & parts[1] if len(parts) == 2 else parts[0] if parts else None

    def rows(self, start: int, stop: int, keys: int, device: torch.device) -> Bool[Tensor, "#B #H rows keys"]:
        return self.first.rows(start, stop, keys, device) & self.second.rows(start, stop, keys, device)

    def with_prefix(self, count: int) -> Mask:
        return Both(self.first.with_prefix(count), self.second.with_prefix(count))


class Prefixed(Mask):
    """`inner`, behind `count` tokens that see everyone and are seen by all (class and register tokens)."""

    def __init__(self, inner: Mask, count: int):
        self.inner, self.count = inner, count

    @property
    def present(self) -> Bool[Tensor, "B n"] | None:
        inner = self.inner.present
        return None if inner is None else torch.cat([inner.new_ones(len(inner), self.count), inner], dim=1)

    def rows(self, start: int, stop: int, keys: int, device: torch.device) -> Bool[Tensor, "#B #H rows keys"]:
        first, last = max(start - self.count, 0), max(stop - self.count, 0)
        inner = self.inner.rows(first, last, keys - self.count, device)
        inner = inner.expand(*inner.shape[:-2], last - first, keys - self.count)
        inner = F.pad(inner, (self.count, 0), value=True)  # all see the prefix
        above = stop - start - (last - first)  # rows of the prefix itself, which see whoever exists
        if above == 0:
            return inner
        exists = torch.ones(1, 1, 1, keys, dtype=torch.bool, device=device)
        if (present := self.present) is not None:
            exists = present[:, None, None, :]
        inner = inner.reshape(*(1,) * (4 - inner.ndim), *inner.shape)
        shape = torch.broadcast_shapes(inner.shape[:2], exists.shape[:2])
        return torch.cat([exists.expand(*shape, above, keys), inner.expand(*shape, *inner.shape[2:])], dim=-2)


def query_and_key(start: int, stop: int, keys: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """The numbers of the query rows, as a column, and of the keys."""
    return torch.arange(start, stop, device=device)[:, None], torch.arange(keys, device=device)
