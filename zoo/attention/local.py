"""Patterns in which a token sees its neighbourhood alone, in time and memory linear in the length.

Axes: B batch, H heads, n tokens, d key width, e value width.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Bool
from torch import Tensor

from zoo.attention.masks import Mask, query_and_key


class Chunked(Mask):
    """Tokens see the chunk of `size` that they are in, and nobody else."""

    def __init__(self, size: int):
        if size < 1:
            raise ValueError(f"size: a chunk holds at least one token, got {size}")
        self.size = size

    def rows(self, start: int, stop: int, keys: int, device: torch.device) -> Bool[Tensor, "rows keys"]:
        query, key = query_and_key(start, stop, keys, device)
        return query // self.size == key // self.size

    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor | None:
        if q.shape[2] != k.shape[2]:
            return None
        n, whole = q.shape[2], q.shape[2] // self.size * self.size
        parts = []
        if whole:
            cut = (x[:, :, :whole].unflatten(2, (-1, self.size)).transpose(1, 2).flatten(0, 1) for x in (q, k, v))
            parts.append(_joined(F.scaled_dot_product_attention(*cut), len(q)))
        if whole < n:  # the last chunk is shorter
            parts.append(F.scaled_dot_product_attention(*(x[:, :, whole:] for x in (q, k, v))))
        return torch.cat(parts, dim=2) if len(parts) > 1 else parts[0]


class SlidingWindow(Mask):
    """Tokens see those at most `reach` away, on either side (Beltagy et al. 2020, section 3.1)."""

    def __init__(self, reach: int):
        if reach < 0:
            raise ValueError(f"reach: a distance, so at least 0, got {reach}")
        self.reach = reach

    def rows(self, start: int, stop: int, keys: int, device: torch.device) -> Bool[Tensor, "rows keys"]:
        query, key = query_and_key(start, stop, keys, device)
        return (query - key).abs() <= self.reach

    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor | None:
        """Queries in blocks of `reach`; each block sees its own keys and those of the two blocks beside it."""
        if q.shape[2] != k.shape[2]:
            return None
        n, size = q.shape[2], max(self.reach, 16)
        if n <= 2 * size:
            allowed = self.rows(0, n, n, q.device)
            return F.scaled_dot_product_attention(q, k, v, attn_mask=allowed[None, None])
        blocks = -(-n // size)
        q = F.pad(q, (0, 0, 0, blocks * size - n)).unflatten(2, (blocks, size))
        k, v = (F.pad(x, (0, 0, size, (blocks + 1) * size - n)).unfold(2, 3 * size, size).mT for x in (k, v))
        query = torch.arange(blocks * size, device=q.device).view(blocks, size, 1)
        key = torch.arange(-size, 2 * size, device=q.device) + size * torch.arange(blocks, device=q.device)[:, None]
        key = key[:, None]
        allowed = ((query - key).abs() <= self.reach) & (key >= 0) & (key < n)  # [blocks, size, 3 size]
        q, k, v = (x.transpose(1, 2).flatten(0, 1) for x in (q, k, v))
        batch = len(q) // blocks
        allowed = allowed[None, :, None].expand(batch, -1, -1, -1, -1).flatten(0, 1)
        return _joined(F.scaled_dot_product_attention(q, k, v, attn_mask=allowed), batch)[:, :, :n]


def _joined(out: Tensor, batch: int) -> Tensor:
    """[B x blocks, H, size, e] -> [B, H, blocks x size, e]"""
    return out.unflatten(0, (batch, -1)).transpose(1, 2).flatten(2, 3)
