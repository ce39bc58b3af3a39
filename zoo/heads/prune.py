"""A smaller model without some heads: its outputs equal those of the whole model with these heads switched off."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from zoo.attention import RelativeBias, SelfAttention


class NoAttention(nn.Module):
    """What a self-attention without any head gives: its output projection's bias."""

    def __init__(self, bias: Tensor, head_dim: int):
        super().__init__()
        self.head_dim = head_dim
        self.bias = nn.Parameter(bias)

    def forward(self, tokens: Tensor, *context: object) -> Tensor:
        return self.bias.expand_as(tokens)


def pruned(model: nn.Module, heads: Mapping[str, Sequence[int]]) -> nn.Module:
    """A copy of `model` without the given heads: layer name (as `observe` has it) -> head numbers.

    Raises ValueError for a layer that is no self-attention, a head that is not there, or a bias of all layers' heads.
    """
    if any(isinstance(module, RelativeBias) for module in model.modules()):
        raise ValueError("a relative bias is one table for the heads of all layers: such a model cannot be pruned")
    smaller = copy.deepcopy(model)
    modules = dict(smaller.named_modules())
    for layer, gone in heads.items():
        attention = modules.get(layer)
        if not isinstance(attention, SelfAttention):
            raise ValueError(f"{layer} is no self-attention of this model")
        if strangers := sorted(set(gone) - set(range(attention.num_heads))):
            raise ValueError(f"{layer} has heads 0 to {attention.num_heads - 1}, not {strangers}")
        keep = [h for h in range(attention.num_heads) if h not in set(gone)]
        parent, _, name = layer.rpartition(".")
        setattr(smaller.get_submodule(parent), name, _with_heads(attention, keep))
    return smaller


def _with_heads(attention: SelfAttention, keep: list[int]) -> nn.Module:
    if not keep:
        return NoAttention(attention.out.bias.detach().clone(), attention.head_dim)
    width, heads = attention.head_dim, attention.num_heads
    columns = torch.cat([torch.arange(h * width, (h + 1) * width) for h in keep])
    rows = torch.cat([columns + part * heads * width for part in range(3)])  # of q, k and v
    small = copy.deepcopy(attention)
    small.num_heads = len(keep)
    small.qkv = _linear(attention.qkv.weight[rows], attention.qkv.bias[rows])
    small.out = _linear(attention.out.weight[:, columns], attention.out.bias)
    return small


def _linear(weight: Tensor, bias: Tensor) -> nn.Linear:
    linear = nn.Linear(weight.shape[1], weight.shape[0], device="meta")
    linear.weight, linear.bias = nn.Parameter(weight.detach().clone()), nn.Parameter(bias.detach().clone())
    return linear
