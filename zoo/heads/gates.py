"""Heads switched off, or faded, for a while: each head's output times a number.

Axes: H heads.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from jaxtyping import Float
from torch import Tensor, nn

from zoo.attention import Attend


def attentions(model: nn.Module) -> dict[str, Attend]:
    """Every attention in `model`, by the name that `zoo.attention.observe` gives it."""
    return {
        name.removesuffix("attend").removesuffix("."): module
        for name, module in model.named_modules()
        if isinstance(module, Attend)
    }


@contextmanager
def gated(model: nn.Module, gates: Mapping[str, Float[Tensor, " H"]]) -> Iterator[None]:
    """Inside, the heads of the named layers give `gate` times their output; 0 switches a head off."""
    found = attentions(model)
    if unknown := [layer for layer in gates if layer not in found]:
        raise ValueError(f"no attention is named {', '.join(unknown)}; there are {', '.join(found)}")
    hooks = [
        found[layer].register_forward_hook(lambda module, given, out, gate=gate: out * gate.to(out)[:, None, None])
        for layer, gate in gates.items()
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
