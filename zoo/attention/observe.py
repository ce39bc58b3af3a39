"""Reading attention while the model runs.

    with observe(model, received := Received(), entropy := Entropy()):
        model(batch)
    received.result()["backbone.blocks.0.attention"]        # [sequences, heads, tokens]

Any number of observers, any number of forward passes; the model is as before on exit, an exception included.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from jaxtyping import Float
from torch import Tensor, nn

from zoo.attention.attend import Attend
from zoo.attention.masks import Mask


class Observer:
    """Reduces blocks of attention rows. Subclass and override `rows`, `gradients` or both.

    layer names the attention; A is `probabilities`, [B, H, rows, n], for the queries `start:start+rows`.
    `queries` is the number of all query rows; start = 0 opens a new pass over the layer.
    Rows of absent (padded) queries arrive as zeros, so that sums over queries need no care.
    """

    def rows(self, layer: str, start: int, probabilities: Tensor, queries: int) -> None:
        pass

    def gradients(self, layer: str, start: int, probabilities: Tensor, gradient: Tensor, queries: int) -> None:
        pass

    @property
    def wants_gradients(self) -> bool:
        return type(self).gradients is not Observer.gradients


class _PerLayer(Observer):
    """Keeps one tensor per layer and pass, [B, H, ...], and joins the passes."""

    def __init__(self) -> None:
        self._passes: dict[str, list[Tensor]] = {}

    def _new_pass(self, layer: str, value: Tensor) -> Tensor:
        self._passes.setdefault(layer, []).append(value)
        return value

    def _current(self, layer: str) -> Tensor:
        return self._passes[layer][-1]

    def passes(self, layer: str) -> list[Tensor]:
        """One tensor per forward pass, in order."""
        return self._passes[layer]

    def result(self) -> dict[str, Tensor]:
        """Layer name -> all passes joined along the batch. Passes of different widths must be read by `passes`."""
        return {layer: torch.cat(parts) for layer, parts in self._passes.items()}


class Received(_PerLayer):
    """Attention that each token receives, summed over the queries: sum_i A_ij. [B, H, n]"""

    def rows(self, layer: str, start: int, probabilities: Tensor, queries: int) -> None:
        total = probabilities.sum(-2)
        if start == 0:
            self._new_pass(layer, total)
        else:
            self._current(layer).add_(total)


class Entropy(_PerLayer):
    """Entropy of each query's attention in nats: -sum_j A_ij log A_ij. [B, H, q]"""

    def rows(self, layer: str, start: int, probabilities: Tensor, queries: int) -> None:
        h = torch.special.entr(probabilities).sum(-1)
        if start == 0:
            self._new_pass(layer, h.new_zeros(*h.shape[:2], queries))
        self._current(layer)[:, :, start : start + h.shape[-1]] = h


class FullMap(_PerLayer):
    """The whole matrix A. [B, H, q, n]: costs 4 x B x H x q x n bytes per layer, so ask for few sequences."""

    def rows(self, layer: str, start: int, probabilities: Tensor, queries: int) -> None:
        if start == 0:
            b, h, _, n = probabilities.shape
            self._new_pass(layer, probabilities.new_zeros(b, h, queries, n))
        self._current(layer)[:, :, start : start + probabilities.shape[2]] = probabilities


class ReceivedGradient(_PerLayer):
    """Attention x gradient received by each token, summed over the queries: sum_i A_ij dL/dA_ij. [B, H, n]

    The backward pass of L fills it: call `L.backward()` or `torch.autograd.grad` inside `observe`. `positive=True`
    sums max(0, A_ij dL/dA_ij), as in Chefer et al. 2021 (eq. 5), where evidence against cannot cancel evidence for.

    The signed sum equals v_j . dL/dv_j, since dL/dA_ij = dL/dO_i . v_j: a test holds the two against each other.
    """

    def __init__(self, positive: bool = False) -> None:
        super().__init__()
        self.positive = positive

    def gradients(self, layer: str, start: int, probabilities: Tensor, gradient: Tensor, queries: int) -> None:
        product = probabilities * gradient
        total = (product.clamp_(min=0) if self.positive else product).sum(-2)
        if start == 0:
            self._new_pass(layer, total)
        else:
            self._current(layer).add_(total)


class _LayerWatcher:
    """Hands the blocks of one attention to every observer, absent queries zeroed."""

    def __init__(self, layer: str, observers: tuple[Observer, ...]):
        self.layer, self.observers = layer, observers

    @property
    def wants_gradients(self) -> bool:
        return any(o.wants_gradients for o in self.observers)

    @torch.no_grad()
    def rows(self, start: int, probabilities: Tensor, mask: Mask | None, queries: int) -> None:
        a = _without_absent(probabilities, mask, start, queries)
        for observer in self.observers:
            observer.rows(self.layer, start, a, queries)

    @torch.no_grad()
    def gradients(self, start: int, probabilities: Tensor, gradient: Tensor, mask: Mask | None, queries: int) -> None:
        a = _without_absent(probabilities, mask, start, queries)
        for observer in self.observers:
            if observer.wants_gradients:
                observer.gradients(self.layer, start, a, gradient, queries)


def _without_absent(
    a: Float[Tensor, "B H rows n"], mask: Mask | None, start: int, queries: int
) -> Float[Tensor, "B H rows n"]:
    if mask is None or mask.present is None or mask.present.shape[1] != queries:
        return a  # a pooling query is nobody's token
    return a * mask.present[:, None, start : start + a.shape[2], None]


@contextmanager
def observe(model: nn.Module, *observers: Observer, layers: str = "") -> Iterator[list[str]]:
    """Let `observers` see every attention inside `model` whose name starts with `layers`. Yields the layers' names.

    Outputs and gradients equal the fused ones to rounding, in eval and in training. Raises ValueError if the model
    holds no such attention, or if one is observed already.
    """
    found = {
        name.removesuffix(".attend"): module
        for name, module in model.named_modules()
        if isinstance(module, Attend) and name.startswith(layers)
    }
    if not found:
        raise ValueError(f"nothing to observe: {type(model).__name__} has no attention named '{layers}...'")
    busy = [name for name, module in found.items() if module.watcher is not None]
    if busy:
        raise ValueError(f"already observed: {', '.join(busy)}; give all observers to one `observe`")
    for name, module in found.items():
        module.watcher = _LayerWatcher(name, observers)
    try:
        yield list(found)
    finally:
        for module in found.values():
            module.watcher = None
