"""Heads switched off, or faded, for a while: each head's output times a number.

Axes: H heads.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from jaxtyping import Float
from torch import Tensor, nn

from zoo.attention.observe import attentions


@contextmanager
def gated(model: nn.Module, gates: Mapping[str, Float[Tensor, " H"]]) -> Iterator[None]:
    """Inside, the heads of the named layers give `gate` times their output; 0 switches a head off."""
    found = attentions(model)
    if unknown := [layer for layer in gates if layer not in found]:
        raise ValueError(f"no attention is named {', '.join(unknown)}; there are {', '.join(found)}")
    for layer, gate in gates.items():
        found[layer].gate = gate
    try:
        yield
    finally:
        for layer in gates:
            found[layer].gate = None
