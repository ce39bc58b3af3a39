"""What each head looks at, summed over a data set: shares of attention, and how spread and how far it is.

Axes: B batch, H heads, q queries, n keys, e value width.
"""

from __future__ import annotations

import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor

from zoo.attention import Landmarks, Mask, Observer
from zoo.attention.observers import landmark_mass
from zoo.heads.roles import role


class Profile(Observer):
    """Means over all queries that may see at least two tokens.

    entropy:  -sum_j A_ij log A_ij, over the log of how many tokens the query may see (1: even attention)
    distance: sum_j A_ij |i - j|, over that of even attention among the tokens that it may see
    self, previous, next, first: shares of the attention
    agreement: mean cosine between the head's output and each other head's of its layer, at the same token

    A pooling query is no token: its attention has an entropy alone.
    """

    def __init__(self) -> None:
        self._sums: dict[str, dict[str, Tensor]] = {}
        self._queries: dict[str, Tensor] = {}
        self._tokens: dict[str, int] = {}
        self._pools: dict[str, bool] = {}
        self._masks: dict[str, Mask | None] = {}

    def begins(self, layer, q, k, v, mask, bias) -> None:
        self._pools[layer] = q.shape[2] != k.shape[2]
        self._masks[layer] = mask

    def _visible(self, layer: str, start: int, probabilities: Tensor) -> Tensor:
        """Who may see whom; attention can be too sharp to tell by being 0."""
        mask, (rows, keys) = self._masks[layer], probabilities.shape[2:]
        if mask is None:
            return torch.ones_like(probabilities, dtype=torch.bool)
        seen = mask.rows(start, start + rows, keys, probabilities.device).expand(probabilities.shape)
        if mask.present is None or self._pools[layer]:
            return seen
        return seen & mask.present[:, None, start : start + rows, None]

    def rows(self, layer: str, start: int, probabilities: Float[Tensor, "B H rows n"], queries: int) -> None:
        seen = self._visible(layer, start, probabilities)
        visible = seen.sum(-1)
        counts = (visible > 1).to(probabilities)
        entropy = torch.special.entr(probabilities).sum(-1) / visible.clamp_min(2).log()
        self._add(layer, "entropy", (entropy * counts).sum((0, 2)))
        self._queries[layer] = self._queries.get(layer, 0) + counts.sum((0, 2))
        if self._pools[layer]:
            return
        place = torch.arange(probabilities.shape[3], device=probabilities.device, dtype=probabilities.dtype)
        away = (place[start : start + probabilities.shape[2], None] - place).abs()
        even = torch.linalg.vecdot(seen.to(probabilities), away) / visible.clamp_min(1)
        distance = torch.linalg.vecdot(probabilities, away) / even.clamp_min(1e-12)
        self._add(layer, "distance", (distance * counts).sum((0, 2)))
        for name, share in zip(Landmarks.names, landmark_mass(probabilities, start).unbind(-1), strict=True):
            self._add(layer, name, (share * counts).sum((0, 2)))

    def ends(self, layer: str, out: Float[Tensor, "B H q e"]) -> None:
        heads = out.shape[1]
        if heads < 2:
            return
        unit = torch.nn.functional.normalize(out.float(), dim=-1, eps=1e-12)
        cosine = torch.einsum("bhne,bgne->hg", unit, unit)
        cosine.fill_diagonal_(0)
        mask = self._masks[layer]
        everyone = mask is None or mask.present is None or self._pools[layer]
        present = out.shape[0] * out.shape[2] if everyone else int(mask.present.sum())
        self._tokens[layer] = self._tokens.get(layer, 0) + present
        self._add(layer, "agreement", cosine.sum(1) / (heads - 1))

    def _add(self, layer: str, name: str, value: Float[Tensor, " H"]) -> None:
        sums = self._sums.setdefault(layer, {})
        sums[name] = sums[name] + value.double() if name in sums else value.double()

    def table(self) -> pd.DataFrame:
        """One row for each head: layer, head, role and the means."""
        rows = []
        for layer, sums in self._sums.items():
            for head in range(len(sums["entropy"])):
                n = {name: self._tokens[layer] if name == "agreement" else self._queries[layer][head] for name in sums}
                means = {name: float(total[head] / n[name]) for name, total in sums.items()}
                what = "pooling" if self._pools[layer] else role(means)
                rows.append({"layer": layer, "head": head, "role": what, **means})
        return pd.DataFrame(rows)
