"""Reading attention while the model runs.

    with observe(model, received := Received(), entropy := Entropy()):
        model(batch)
    received.result()["backbone.blocks.0.attention"]        # [sequences, heads, tokens]

Any number of observers, any number of forward passes; the model is as before on exit, an exception included. A model
that was compiled runs its attentions uncompiled while it is observed, and compiled again afterwards.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from jaxtyping import Float
from torch import Tensor, nn

from zoo.attention.attend import Attend
from zoo.attention.bias import Bias
from zoo.attention.blockwise import block_rows
from zoo.attention.edges import Edges
from zoo.attention.masks import Mask


class Observer:
    """Sees attentions and keeps what it wants of them. Subclass and override any of the methods.

    layer names the attention. Rows of absent (padded) queries arrive as zeros, so that sums need no care.
    """

    def begins(
        self,
        layer: str,
        q: Float[Tensor, "B H q d"],
        k: Float[Tensor, "B H n d"],
        v: Float[Tensor, "B H n e"],
        mask: Mask | None,
        bias: Bias | None,
    ) -> None:
        """Before a pass over the layer."""

    def rows(self, layer: str, start: int, probabilities: Float[Tensor, "B H rows n"], queries: int) -> None:
        """A[start:start + rows], of `queries` rows in all; start = 0 opens a pass."""

    def ends(self, layer: str, out: Float[Tensor, "B H q e"]) -> None:
        """What each head gives."""

    def gradients(
        self,
        layer: str,
        start: int,
        probabilities: Float[Tensor, "B H rows n"],
        gradient: Float[Tensor, "B H rows n"],
        queries: int,
    ) -> None:
        """A and dL/dA, as the backward pass comes by."""

    def end_gradients(self, layer: str, out: Float[Tensor, "B H q e"], gradient: Float[Tensor, "B H q e"]) -> None:
        """What each head gives, and dL/d(it)."""

    def wants(self, method: str) -> bool:
        return getattr(type(self), method) is not getattr(Observer, method)


class _LayerWatcher:
    """Hands what one attention does to every observer, absent queries zeroed."""

    def __init__(self, layer: str, observers: tuple[Observer, ...]):
        self.layer = layer
        self.to = {
            method: [o for o in observers if o.wants(method)]
            for method in ("begins", "rows", "ends", "gradients", "end_gradients")
        }
        self._mask: Mask | None = None

    @property
    def wants_rows(self) -> bool:
        """Without that, the fused kernel runs, observed or not."""
        return bool(self.to["rows"] or self.to["gradients"])

    @property
    def wants_gradients(self) -> bool:
        return bool(self.to["gradients"])

    def begins(self, q: Tensor, k: Tensor, v: Tensor, mask: Mask | None, bias: Bias | None) -> None:
        if (blind := self.to["gradients"] + self.to["end_gradients"]) and not torch.is_grad_enabled():
            raise ValueError(f"{type(blind[0]).__name__} sees gradients, and there are none under no_grad: enable them")
        self._mask = mask
        for observer in self.to["begins"]:
            observer.begins(self.layer, q.detach(), k.detach(), v.detach(), mask, bias)

    @torch.no_grad()
    def rows(self, start: int, probabilities: Tensor, mask: Mask | None, queries: int) -> None:
        a = _without_absent(probabilities, mask, start, queries)
        for observer in self.to["rows"]:
            observer.rows(self.layer, start, a, queries)

    @torch.no_grad()
    def gradients(self, start: int, probabilities: Tensor, gradient: Tensor, mask: Mask | None, queries: int) -> None:
        a = _without_absent(probabilities, mask, start, queries)
        for observer in self.to["gradients"]:
            observer.gradients(self.layer, start, a, gradient, queries)

    @torch.no_grad()
    def edges(self, probabilities: Float[Tensor, "B H E"], edges: Edges) -> None:
        for start, stop in self._blocks(probabilities, edges):
            self.rows(start, edges.dense_rows(probabilities, start, stop), None, edges.num_tokens)

    @torch.no_grad()
    def edge_gradients(self, probabilities: Tensor, gradient: Tensor, edges: Edges) -> None:
        for start, stop in self._blocks(probabilities, edges):
            a, d_a = (edges.dense_rows(x, start, stop) for x in (probabilities, gradient))
            self.gradients(start, a, d_a, None, edges.num_tokens)

    def _blocks(self, probabilities: Tensor, edges: Edges) -> Iterator[tuple[int, int]]:
        step = block_rows(*probabilities.shape[:2], edges.num_tokens)
        for start in range(0, edges.num_tokens, step):
            yield start, min(start + step, edges.num_tokens)

    def ends(self, out: Tensor) -> Tensor:
        with torch.no_grad():
            for observer in self.to["ends"]:
                observer.ends(self.layer, _without_absent(out.detach(), self._mask, 0, out.shape[2]))
        if self.to["end_gradients"] and out.requires_grad:
            whole = _without_absent(out.detach(), self._mask, 0, out.shape[2])  # a hook that held `out` would keep it

            def seen(gradient: Tensor) -> None:
                for observer in self.to["end_gradients"]:
                    observer.end_gradients(self.layer, whole, gradient)

            out.register_hook(seen)
        return out


def _without_absent(
    a: Float[Tensor, "B H rows n"], mask: Mask | None, start: int, queries: int
) -> Float[Tensor, "B H rows n"]:
    if mask is None or mask.present is None or mask.present.shape[1] != queries:
        return a  # a pooling query is nobody's token
    return a * mask.present[:, None, start : start + a.shape[2], None]


def attentions(model: nn.Module) -> dict[str, Attend]:
    """Every attention in `model`, compiled or not, by the name of the layer that it is in."""
    return {
        name.replace("_orig_mod.", "").removesuffix("attend").removesuffix("."): module
        for name, module in model.named_modules()
        if isinstance(module, Attend)
    }


@contextmanager
def observe(model: nn.Module, *observers: Observer, layers: str = "") -> Iterator[list[str]]:
    """Let `observers` see every attention inside `model` whose name starts with `layers`. Yields the layers' names.

    Outputs and gradients equal the fused ones to rounding, in eval and in training. Raises ValueError if the model
    holds no such attention, if one is observed already, or if an observer of gradients would see none.
    """
    found = {name: module for name, module in attentions(model).items() if name.startswith(layers)}
    if not found:
        raise ValueError(f"nothing to observe: {type(model).__name__} has no attention named '{layers}...'")
    busy = [name for name, module in found.items() if module.watcher is not None]
    if busy:
        raise ValueError(f"already observed: {', '.join(busy)}; give all observers to one `observe`")
    blind = [type(o).__name__ for o in observers if o.wants("gradients") or o.wants("end_gradients")]
    if blind and not torch.is_grad_enabled():
        raise ValueError(f"{' and '.join(blind)} sees gradients, and there are none under no_grad: enable them")
    for name, module in found.items():
        module.watcher = _LayerWatcher(name, observers)
    try:
        yield list(found)
    finally:
        for module in found.values():
            module.watcher = None
