"""How every domain learns: AdamW, warm-up, cosine."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from timm.optim import param_groups_weight_decay
from torch import nn
from torch.optim.lr_scheduler import LambdaLR


@dataclass(frozen=True)
class AdamW:
    """AdamW (Loshchilov & Hutter 2019) with a linear warm-up and a cosine decay (SGDR without restarts).

    learning_rate: at the top of the schedule. weight_decay: on matrices alone; biases, norms, position tables,
    prefix tokens and pooling queries are left out. warmup: share of all steps. final: learning rate at the end, as a
    share of the top. betas: decay of the two moments.
    """

    learning_rate: float = 1e-3
    weight_decay: float = 0.01
    warmup: float = 0.1
    final: float = 0.01
    betas: tuple[float, float] = (0.9, 0.98)

    @classmethod
    def problems(cls, learning_rate: float = 1e-3, weight_decay: float = 0.01, warmup: float = 0.1, **rest: object):
        wrong = [] if learning_rate > 0 else [f"learning_rate={learning_rate} must be above 0"]
        wrong += [] if weight_decay >= 0 else [f"weight_decay={weight_decay} must be at least 0"]
        return wrong + ([] if 0 <= warmup <= 1 else [f"warmup={warmup} is a share of all steps, 0 to 1"])

    def build(self, model: nn.Module, total_steps: int) -> tuple[torch.optim.Optimizer, LambdaLR]:
        undecayed = [
            name for name, p in model.named_parameters() if name.rsplit(".", 1)[-1] in {"table", "prefix", "query"}
        ]
        groups = param_groups_weight_decay(model, self.weight_decay, no_weight_decay_list=undecayed)
        optimizer = torch.optim.AdamW(groups, lr=self.learning_rate, betas=tuple(self.betas))
        return optimizer, LambdaLR(optimizer, lambda step: self.factor(step, total_steps))

    def factor(self, step: int, total_steps: int) -> float:
        """Learning rate at `step` as a share of the top."""
        rise = max(1, round(self.warmup * total_steps))
        if step < rise:
            return (step + 1) / rise
        progress = min(1.0, (step - rise) / max(1, total_steps - rise))
        return self.final + (1 - self.final) * 0.5 * (1 + math.cos(math.pi * progress))
