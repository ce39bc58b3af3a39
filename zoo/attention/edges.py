"""Attention along the edges of a graph: a softmax over each token's edges, time and memory O(E).

The three products of attention are products with a sparse matrix, for which PyTorch has kernels on any device:
q . k at the edges alone (sampled), A v and its transposes. Nothing of size E x d is ever held.

Axes: B batch, H heads, n tokens, E edges, d key width, e value width.
"""

from __future__ import annotations

import warnings
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.autograd.function import once_differentiable

from zoo.attention.bias import Bias, DenseBias
from zoo.attention.blockwise import Watcher
from zoo.attention.masks import Mask

warnings.filterwarnings("ignore", "Sparse CSR tensor support is in beta state")  # the products used here are old

DENSE_SHARE = 0.15  # of all pairs; denser graphs are faster under the fused kernel and a mask (benchmarks.edges)


class Edges(Mask):
    """Each token sees the tokens that an edge leads it to, and nobody else; no edge, no output (zeros).

    query, key:  the edge e lets token query[e] see token key[e]; each pair once. In PyTorch Geometric's
                 `edge_index`, row 0 is the key (source) and row 1 the query (target).
    heads:       which heads may use which edge (a relation for each head); all, if not given.
    """

    def __init__(
        self,
        query: Int[Tensor, " E"],
        key: Int[Tensor, " E"],
        num_tokens: int,
        heads: Bool[Tensor, "H E"] | None = None,
    ):
        _check(query, key, num_tokens, heads)
        order = torch.argsort(query * num_tokens + key)  # by query, then by key: compressed sparse rows
        self.query, self.key, self.num_tokens = query[order], key[order], num_tokens
        self.heads = None if heads is None else heads[:, order]
        self.order = order  # of the edges as given: for what a person has to say of each edge
        self._layouts: dict[int, _Layout] = {}

    def __len__(self) -> int:
        return len(self.query)

    @classmethod
    def of_mask(cls, allowed: Bool[Tensor, "n n"]) -> Edges:
        query, key = allowed.nonzero().unbind(1)
        return cls(query, key, len(allowed))

    @property
    def share(self) -> float:
        """Edges among all pairs."""
        return len(self) / max(1, self.num_tokens**2)

    def rows(self, start: int, stop: int, keys: int, device: torch.device) -> Bool[Tensor, "#H rows keys"]:
        first, last = torch.searchsorted(self.query, torch.tensor([start, stop], device=self.query.device)).tolist()
        query, key = self.query[first:last] - start, self.key[first:last]
        count = 1 if self.heads is None else len(self.heads)
        allowed = torch.zeros(count, stop - start, keys, dtype=torch.bool, device=self.query.device)
        allowed[:, query, key] = True if self.heads is None else self.heads[:, first:last]
        return allowed[None]

    @torch.compiler.disable  # the compiler does not know sparse matrices
    def attend(
        self, q: Tensor, k: Tensor, v: Tensor, bias: Bias | None = None, watcher: Watcher | None = None
    ) -> Float[Tensor, "B H n e"]:
        """Along the edges; by the fused kernel where there are nearly all of them."""
        if bias is None and watcher is None and self.share > DENSE_SHARE:
            allowed = self.rows(0, self.num_tokens, self.num_tokens, q.device)
            return F.scaled_dot_product_attention(q, k, v, attn_mask=allowed)
        value = None if bias is None else self._at_edges(bias)
        with torch.autocast(q.device.type, enabled=False):  # sparse products exist in full precision alone
            kept = torch.promote_types(q.dtype, torch.float32)
            out = _AlongEdges.apply(q.to(kept), k.to(kept), v.to(kept), value, self, watcher)
        return out.to(q.dtype)

    def _at_edges(self, bias: Bias) -> Float[Tensor, "#B #H E"]:
        if isinstance(bias, EdgeBias):
            return bias.value[..., self.order]
        if isinstance(bias, DenseBias):
            return bias.value[:, :, self.query, self.key]
        raise ValueError(f"a graph's edges take an EdgeBias or a DenseBias, got {type(bias).__name__}")

    def layout(self, copies: int) -> _Layout:
        """Row and column indices for `copies` (batch x heads) of the graph side by side."""
        if copies not in self._layouts:
            self._layouts[copies] = _Layout.of(self.query, self.key, self.num_tokens, copies)
        return self._layouts[copies]

    def dense_rows(self, at_edges: Float[Tensor, "B H E"], start: int, stop: int) -> Float[Tensor, "B H rows n"]:
        """What stands at the edges of the query rows `start:stop`, zeros elsewhere."""
        first, last = torch.searchsorted(self.query, torch.tensor([start, stop], device=self.query.device)).tolist()
        out = at_edges.new_zeros(*at_edges.shape[:2], stop - start, self.num_tokens)
        out[:, :, self.query[first:last] - start, self.key[first:last]] = at_edges[..., first:last]
        return out


class EdgeBias(Bias):
    """A number added to the logit of each of `edges`, in the order in which they were given: [#B, #H, E]."""

    def __init__(self, value: Float[Tensor, "#B #H E"], edges: Edges):
        if value.ndim != 3 or value.shape[2] != len(edges):
            raise ValueError(f"value: expected [B, H, {len(edges)}] (B and H may be 1), got {tuple(value.shape)}")
        self.value, self._edges = value, edges

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        return (self.value,)

    def rows(self, start: int, stop: int, keys: int, *tensors: Tensor) -> Float[Tensor, "#B #H rows keys"]:
        """Zeros where there is no edge: for a mask that joins the edges with others, and for rollout."""
        return self._edges.dense_rows(tensors[0][..., self._edges.order], start, stop)


class _Layout(NamedTuple):
    """Compressed sparse rows of the attention matrix and of its transpose, copied along the diagonal."""

    row_start: Int[Tensor, " rows_and_1"]
    column: Int[Tensor, " edges"]
    row_start_t: Int[Tensor, " rows_and_1"]
    column_t: Int[Tensor, " edges"]
    transpose: Int[Tensor, " E"]  # the edges of one copy, in the transpose's order
    row: Int[Tensor, " edges"]  # of each edge
    lengths: Int[Tensor, " rows"]

    @classmethod
    def of(cls, query: Tensor, key: Tensor, n: int, copies: int) -> _Layout:
        small = max(copies * len(query), copies * n) < 2**31
        kind = torch.int32 if small else torch.int64
        transpose = torch.argsort(key * n + query)

        def tiled(index: Tensor) -> Tensor:
            return (index + n * torch.arange(copies, device=index.device)[:, None]).ravel()

        def starts(index: Tensor) -> Tensor:
            counts = torch.bincount(index, minlength=n).repeat(copies)
            return F.pad(counts.cumsum(0), (1, 0)).to(kind)

        row = tiled(query)
        return cls(
            starts(query),
            tiled(key).to(kind),
            starts(key),
            tiled(query[transpose]).to(kind),
            transpose,
            row,
            torch.bincount(query, minlength=n).repeat(copies),
        )

    def matrix(self, values: Float[Tensor, "copies E"]) -> Tensor:
        size = len(self.row_start) - 1
        return torch.sparse_csr_tensor(
            self.row_start, self.column, values.reshape(-1), (size, size), check_invariants=False
        )

    def transposed(self, values: Float[Tensor, "copies E"]) -> Tensor:
        size = len(self.row_start) - 1
        values = values[:, self.transpose].reshape(-1)
        return torch.sparse_csr_tensor(self.row_start_t, self.column_t, values, (size, size), check_invariants=False)


class _AlongEdges(torch.autograd.Function):
    @staticmethod
    def forward(ctx, q, k, v, bias, edges: Edges, watcher):
        b, h, n, width = q.shape
        layout = edges.layout(b * h)
        q_, k_, v_ = (x.reshape(b * h * n, -1) for x in (q, k, v))  # copies of the graph, one below the other
        scale = width**-0.5
        logits = _at_edges(layout, q_, k_, scale).view(b, h, -1)
        if bias is not None:
            logits = logits + bias
        if edges.heads is not None:
            logits = logits.masked_fill(~edges.heads, float("-inf"))
        a = _softmax(logits.view(-1), layout).view(b * h, -1)
        out = layout.matrix(a) @ v_
        ctx.save_for_backward(q_, k_, v_, a, out)
        ctx.edges, ctx.watcher, ctx.shape, ctx.scale = edges, watcher, (b, h, n), scale
        ctx.bias_shape = None if bias is None else bias.shape
        if watcher is not None:
            watcher.edges(a.view(b, h, -1), edges)
        return out.view(b, h, n, -1)

    @staticmethod
    @once_differentiable
    def backward(ctx, d_out):
        with torch.autocast(d_out.device.type, enabled=False):
            return _AlongEdges._backward(ctx, d_out)

    @staticmethod
    def _backward(ctx, d_out):
        q, k, v, a, out = ctx.saved_tensors
        b, h, n = ctx.shape
        layout = ctx.edges.layout(b * h)
        d_o = d_out.reshape(b * h * n, -1)
        d_a = _at_edges(layout, d_o, v, 1.0).view(b * h, -1)
        if ctx.watcher is not None and ctx.watcher.wants_gradients:
            ctx.watcher.edge_gradients(a.view(b, h, -1), d_a.view(b, h, -1), ctx.edges)
        through = (d_o * out).sum(-1)  # sum_j A dA, for each row
        d_s = a * (d_a - through[layout.row].view(b * h, -1))
        dq = (layout.matrix(d_s) @ k * ctx.scale).view(b, h, n, -1)
        dk = (layout.transposed(d_s) @ q * ctx.scale).view(b, h, n, -1)
        dv = (layout.transposed(a) @ d_o).view(b, h, n, -1)
        d_bias = None if ctx.bias_shape is None else d_s.view(b, h, -1).sum_to_size(ctx.bias_shape)
        return dq, dk, dv, d_bias, None, None


def _at_edges(layout: _Layout, x: Float[Tensor, "rows d"], y: Float[Tensor, "rows d"], scale: float) -> Tensor:
    """scale x_i . y_j for each edge (i, j)."""
    zeros = x.new_zeros(len(layout.column))
    size = len(layout.row_start) - 1
    pattern = torch.sparse_csr_tensor(layout.row_start, layout.column, zeros, (size, size), check_invariants=False)
    return torch.sparse.sampled_addmm(pattern, x, y.T, beta=0.0, alpha=scale).values()


def _softmax(logits: Float[Tensor, " edges"], layout: _Layout) -> Float[Tensor, " edges"]:
    """Over the edges of each row; zeros where a row may use none."""
    highest = torch.segment_reduce(logits, "max", lengths=layout.lengths, unsafe=True)
    highest = highest.masked_fill(highest.isinf(), 0.0)
    a = (logits - highest[layout.row]).exp()
    total = torch.segment_reduce(a, "sum", lengths=layout.lengths, unsafe=True)
    return a / total.masked_fill(total == 0, 1.0)[layout.row]


def _check(query: Tensor, key: Tensor, num_tokens: int, heads: Tensor | None) -> None:
    if query.shape != key.shape or query.ndim != 1 or query.is_floating_point() or key.is_floating_point():
        raise ValueError(
            f"query and key: expected two rows of equally many whole numbers, got {query.dtype} {tuple(query.shape)} "
            f"and {key.dtype} {tuple(key.shape)}"
        )
    if len(query) and not (min(query.min(), key.min()) >= 0 and max(query.max(), key.max()) < num_tokens):
        raise ValueError(f"query and key: expected tokens 0 to {num_tokens - 1}, got one outside")
    if len(torch.unique(query * num_tokens + key)) < len(query):
        raise ValueError("query and key: an edge is given twice; give each pair once (and its relations by `heads`)")
    if heads is not None and (heads.dtype != torch.bool or heads.ndim != 2 or heads.shape[1] != len(query)):
        raise ValueError(f"heads: expected booleans, H x {len(query)} edges, got {heads.dtype} {tuple(heads.shape)}")
