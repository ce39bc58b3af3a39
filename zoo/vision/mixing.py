"""Labels that are shares, and images mixed of two."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Integer
from torch import Tensor


def one_hot(labels: Integer[Tensor, " N"], classes: int) -> Float[Tensor, "N classes"]:
    """Zeros where the label is unknown (-1)."""
    return F.one_hot(labels.clamp(min=0), classes).float() * (labels >= 0)[:, None]


def cross_entropy(
    logits: Float[Tensor, "N classes"], target: Float[Tensor, "N classes"], smoothing: float = 0.0
) -> Float[Tensor, ""]:
    """target: shares of the classes. smoothing: a part of each is spread over all classes."""
    target = target * (1 - smoothing) + target.sum(1, keepdim=True) * smoothing / target.shape[1]
    return -(target * logits.log_softmax(-1)).sum(1).mean()


@dataclass(frozen=True)
class Mix:
    """mixup (Zhang et al. 2018): l x + (1 - l) x', and labels alike, l from Beta(alpha, alpha), one draw an image.
    Images keep their own sizes: the partner is brought to the size of the one that it is mixed into. often: share of
    the images."""

    alpha: float = 0.2
    often: float = 1.0

    @classmethod
    def problems(cls, alpha: float = 0.2, often: float = 1.0) -> list[str]:
        wrong = [] if alpha > 0 else [f"alpha={alpha} must be above 0"]
        return wrong + ([] if 0 <= often <= 1 else [f"often={often} is a share, 0 to 1"])

    def __call__(
        self, pixels: Sequence[Float[Tensor, "C H W"]], target: Float[Tensor, "N classes"]
    ) -> tuple[list[Float[Tensor, "C H W"]], Float[Tensor, "N classes"]]:
        count = len(pixels)
        share = torch.distributions.Beta(self.alpha, self.alpha).sample((count,)).to(target.device)
        share = torch.maximum(share, 1 - share)  # the image whose size it is leads
        share = torch.where(torch.rand(count, device=target.device) < self.often, share, 1.0)
        partner = torch.randperm(count, device=target.device)
        mixed = [
            image if s == 1 else s * image + (1 - s) * brought_to(pixels[other], image.shape[1:])
            for image, s, other in zip(pixels, share, partner.tolist(), strict=True)
        ]
        return mixed, share[:, None] * target + (1 - share[:, None]) * target[partner]


def brought_to(image: Float[Tensor, "C H W"], size: Sequence[int]) -> Float[Tensor, "C h w"]:
    if image.shape[1:] == torch.Size(size):
        return image
    return F.interpolate(image[None], tuple(size), mode="bilinear", antialias=True)[0]
