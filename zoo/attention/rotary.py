"""The rotation of rotary positions, computed once for all blocks."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor


class Rotation(NamedTuple):
    """Component t < d/2 of a head and component t + d/2 are turned as a pair. Both factors [#B, 1, n, d].

    x cos + swapped(x) sin, where `sine` already carries the sign.
    """

    cosine: Float[Tensor, "#B 1 n d"]
    sine: Float[Tensor, "#B 1 n d"]

    @classmethod
    def by(cls, angle: Float[Tensor, "#B n pairs"], dtype: torch.dtype) -> Rotation:
        cosine, sine = angle.cos()[:, None].to(dtype), angle.sin()[:, None].to(dtype)
        return cls(torch.cat([cosine, cosine], -1), torch.cat([-sine, sine], -1))

    def turn(self, x: Float[Tensor, "B H n d"]) -> Float[Tensor, "B H n d"]:
        first, second = x.chunk(2, dim=-1)
        return x * self.cosine.to(x.dtype) + torch.cat([second, first], dim=-1) * self.sine.to(x.dtype)
