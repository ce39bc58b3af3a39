"""What each head says at one token of each sequence: the examples between which heads are compared.

Axes: B batch, H heads, n tokens, e value width.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from zoo.attention import Observer
from zoo.heads.cka import MinibatchCKA, gram


class HeadKernels(Observer):
    """CKA between all heads of all self-attentions, and between the layers, batch by batch.

    In each batch one present token of each sequence is drawn, the same in every layer: tokens of one sequence are no
    independent examples. Call `close` after each batch.
    """

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed
        self.heads, self.layers = MinibatchCKA(), MinibatchCKA()
        self.names: list[tuple[str, int]] = []  # (layer, head), in the order of the matrix
        self.layer_names: list[str] = []
        self._features: dict[str, Tensor] = {}  # [H, B, e]
        self._chosen: Tensor | None = None
        self._present: dict[str, Tensor] = {}

    def begins(self, layer, q, k, v, mask, bias) -> None:
        if q.shape[2] != k.shape[2]:
            return  # a pooling query is no token
        present = None if mask is None else mask.present
        self._present[layer] = torch.ones(len(q), q.shape[2], dtype=torch.bool) if present is None else present.cpu()

    def ends(self, layer: str, out: Float[Tensor, "B H n e"]) -> None:
        if layer not in self._present:
            return
        if self._chosen is None:
            draw = torch.rand(self._present[layer].shape, generator=torch.Generator().manual_seed(self.seed))
            self._chosen = draw.masked_fill(~self._present[layer], -1).argmax(1)
        rows = torch.arange(len(out), device=out.device)
        self._features[layer] = out[rows, :, self._chosen.to(out.device)].transpose(0, 1)

    def close(self, examples: int | None = None) -> None:
        """The batch is over, and only its first `examples` sequences are different ones (all, if not given).

        A batch of fewer than 4 is left out.
        """
        kernels = {layer: gram(features[:, :examples].double()) for layer, features in self._features.items()}
        if kernels and next(iter(kernels.values())).shape[-1] >= 4:
            self.names = [(layer, h) for layer, kernel in kernels.items() for h in range(len(kernel))]
            self.layer_names = list(kernels)
            self.heads.update_kernels(torch.cat(list(kernels.values())))
            self.layers.update_kernels(torch.stack([kernel.sum(0) for kernel in kernels.values()]))
        self._features, self._chosen, self._present = {}, None, {}
        self.seed += 1


class TopKeys(Observer):
    """The `k` strongest keys of each query, for the first `limit` sequences seen: what a page about them can hold."""

    def __init__(self, k: int, limit: int) -> None:
        self.k, self.limit = k, limit
        self.weights: dict[str, Tensor] = {}  # layer -> [B, H, n, k]
        self.keys: dict[str, Tensor] = {}
        self._full = False

    def rows(self, layer: str, start: int, probabilities: Float[Tensor, "B H rows n"], queries: int) -> None:
        if self._full or queries != probabilities.shape[3]:
            return
        weight, key = probabilities[: self.limit].topk(min(self.k, queries))
        if start == 0:
            shape = (*weight.shape[:2], queries, weight.shape[3])
            self.weights[layer], self.keys[layer] = weight.new_zeros(shape), key.new_zeros(shape)
        here = slice(start, start + weight.shape[2])
        self.weights[layer][:, :, here], self.keys[layer][:, :, here] = weight, key

    def close(self) -> None:
        """The sequences of the first batch are all that is kept."""
        self._full = True
