"""How vision transformers are fine-tuned: lower blocks learn more slowly."""

from __future__ import annotations

import re
from dataclasses import dataclass

import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR

from zoo.domain.optim import AdamW

UNDECAYED = {"table", "prefix", "query", "gamma"}


@dataclass(frozen=True)
class LayerwiseAdamW(AdamW):
    """AdamW whose learning rate falls by the factor `layer_decay` with each block from the head down to the patches
    (Clark et al. 2020; BEiT, Bao et al. 2022). The schedule is the same for all."""

    layer_decay: float = 0.75

    @classmethod
    def problems(cls, layer_decay: float = 0.75, **rest: object) -> list[str]:
        wrong = [] if 0 < layer_decay <= 1 else [f"layer_decay={layer_decay} is a factor, above 0, up to 1"]
        return wrong + AdamW.problems(**rest)

    def build(self, model: nn.Module, total_steps: int) -> tuple[torch.optim.Optimizer, LambdaLR]:
        depth = len(model.backbone.blocks)
        groups: dict[tuple[int, bool], list[nn.Parameter]] = {}
        for name, parameter in model.named_parameters():
            if parameter.requires_grad:
                decayed = parameter.ndim > 1 and name.rsplit(".", 1)[-1] not in UNDECAYED
                groups.setdefault((level(name, depth), decayed), []).append(parameter)
        settings = [
            {
                "params": parameters,
                "lr": self.learning_rate * self.layer_decay ** (depth + 1 - at),
                "weight_decay": self.weight_decay if decayed else 0.0,
            }
            for (at, decayed), parameters in groups.items()
        ]
        optimizer = torch.optim.AdamW(settings, lr=self.learning_rate, betas=tuple(self.betas))
        return optimizer, LambdaLR(optimizer, lambda step: self.factor(step, total_steps))


def level(name: str, depth: int) -> int:
    """0 for the embedding, 1 to depth for the blocks, depth + 1 for all above them."""
    if found := re.match(r"backbone\.blocks\.(\d+)\.", name):
        return int(found[1]) + 1
    return 0 if name.startswith(("embedding.", "backbone.positions.")) else depth + 1
