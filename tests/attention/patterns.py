"""Every mask and bias, beside the boolean matrix and the logits that they stand for, written out by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from zoo.attention import (
    Bias,
    Causal,
    Chunked,
    Dense,
    DenseBias,
    EdgeBias,
    Edges,
    Mask,
    OffsetBias,
    Packed,
    Padding,
    SelfExcluding,
    SlidingWindow,
)

B, H, N, D = 3, 5, 53, 14  # no two axes agree


@dataclass(frozen=True)
class Case:
    """allowed: [#B, #H, N, N]; logits: added, a function of what `parameters` holds (as `bias` is)."""

    mask: Mask | None
    allowed: Tensor
    parameter: Tensor | None = None
    bias: Callable[[Tensor], Bias] | None = None
    logits: Callable[[Tensor], Tensor] | None = None


QUERY, KEY = torch.arange(N)[:, None], torch.arange(N)
ALL = torch.ones(1, 1, N, N, dtype=torch.bool)


def _random(*shape: int, seed: int = 0, share: float = 0.3) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed)) < share


def _normal(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(7))


def _here(allowed: Tensor) -> Tensor:
    return allowed.view(*(1,) * (4 - allowed.ndim), *allowed.shape)


def _packed() -> tuple[Packed, Tensor]:
    lengths = [[10, 20, 3, 20], [53], [1, 1, 10, 10]]
    segment = torch.full((B, N), -1)
    for row, parts in enumerate(lengths):
        at = 0
        for number, length in enumerate(parts):
            segment[row, at : at + length] = number
            at += length
    allowed = (segment[:, :, None] == segment[:, None]) & (segment[:, None] >= 0)
    return Packed.of_lengths(lengths), allowed[:, None]


def _edges(heads: bool = False) -> tuple[Edges, Tensor]:
    adjacency = _random(N, N, seed=1, share=0.12)
    adjacency[4] = False  # a token that sees nobody
    query, key = adjacency.nonzero().T[:, torch.randperm(int(adjacency.sum()), generator=torch.Generator())]
    if not heads:
        return Edges(query, key, N), _here(adjacency)
    relation = _random(H, len(query), seed=2, share=0.5)
    allowed = torch.zeros(1, H, N, N, dtype=torch.bool)
    allowed[0, :, query, key] = relation
    return Edges(query, key, N, relation), allowed


def _relative(table: Tensor) -> Tensor:
    return table[:, (KEY - QUERY).clamp(-6, 6) + 6][None]


def _on_edges(value: Tensor) -> Tensor:
    edges, _ = _edges()
    out = torch.zeros(1, H, N, N)
    back = torch.argsort(edges.order)
    return out.index_put((torch.tensor(0), torch.arange(H)[:, None], edges.query[back], edges.key[back]), value[0])


PRESENT = torch.arange(N) < torch.tensor([N, 20, 0])[:, None]
RELATIONS = _random(H, N, N, seed=3)
CASES = {
    "full": Case(None, ALL),
    "padding": Case(Padding(PRESENT), PRESENT[:, None, None]),
    "causal": Case(Causal(), _here(KEY <= QUERY)),
    "self-excluding": Case(SelfExcluding(), _here(KEY != QUERY)),
    "chunked": Case(Chunked(10), _here(QUERY // 10 == KEY // 10)),
    "chunked, one": Case(Chunked(80), ALL),
    "window": Case(SlidingWindow(3), _here((QUERY - KEY).abs() <= 3)),
    "window of many blocks": Case(SlidingWindow(17), _here((QUERY - KEY).abs() <= 17)),
    "window of itself": Case(SlidingWindow(0), _here(QUERY == KEY)),
    "packed": Case(*_packed()),
    "padding and causal": Case(Padding(PRESENT) & Causal(), PRESENT[:, None, None] & (KEY <= QUERY)),
    "padding and self-excluding": Case(Padding(PRESENT) & SelfExcluding(), PRESENT[:, None, None] & (KEY != QUERY)),
    "a relation for each head": Case(Dense(RELATIONS), RELATIONS[None]),
    "causal behind a prefix": Case(
        Causal().with_prefix(3), _here((QUERY < 3) | (KEY < 3) | (KEY <= QUERY))
    ),
    "padded window behind a prefix": Case(
        (Padding(PRESENT[:, 2:]) & SlidingWindow(5)).with_prefix(2),
        torch.cat([torch.ones(B, 2, dtype=torch.bool), PRESENT[:, 2:]], 1)[:, None, None]
        & ((QUERY < 2) | (KEY < 2) | ((QUERY - KEY).abs() <= 5)),
    ),
    "edges": Case(*_edges()),
    "edges with a relation for each head": Case(*_edges(heads=True)),
    "edges with a bias": Case(
        *_edges(), _normal(1, H, len(_edges()[0])), lambda value: EdgeBias(value, _edges()[0]), _on_edges
    ),
    "edges with a bias, padded": Case(
        _edges()[0] & Padding(PRESENT), _edges()[1] & PRESENT[:, None, None], _normal(1, H, len(_edges()[0])),
        lambda value: EdgeBias(value, _edges()[0]), _on_edges,
    ),
    "edges with a dense bias": Case(*_edges(), _normal(B, 1, N, N), DenseBias, lambda value: value),
    "relative bias": Case(None, ALL, _normal(H, 14), OffsetBias, _relative),
    "relative bias under padding": Case(
        Padding(PRESENT), PRESENT[:, None, None], _normal(H, 14), OffsetBias, _relative
    ),
    "dense bias": Case(None, ALL, _normal(B, H, N, N), DenseBias, lambda value: value),
    "dense bias, causal": Case(Causal(), _here(KEY <= QUERY), _normal(1, H, N, N), DenseBias, lambda value: value),
}  # fmt: skip


def inputs(seed: int = 0, width: int = D, dtype=torch.float32) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    widths = (D, D, width)
    return [torch.randn(B, H, N, w, generator=generator, dtype=dtype).requires_grad_() for w in widths]


def by_hand(q: Tensor, k: Tensor, v: Tensor, case: Case, parameter: Tensor | None) -> Tensor:
    logits = q @ k.mT / D**0.5
    if case.logits is not None:
        logits = logits + case.logits(parameter)
    allowed = case.allowed.expand(*logits.shape)
    logits = logits.masked_fill(~allowed, -1e30)
    weight = (logits - logits.amax(-1, keepdim=True)).exp() * allowed
    return weight / weight.sum(-1, keepdim=True).clamp_min(1e-30) @ v
