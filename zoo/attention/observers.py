"""What can be kept of attention as it streams by. Each reduces blocks of rows; none holds n x n unless asked to.

Axes: B batch, H heads, q queries, n keys, e value width. `result()` gives layer name -> tensor, passes joined along B.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from zoo.attention.observe import Observer


class _PerLayer(Observer):
    """Keeps one tensor per layer and pass, [B, H, ...], and joins the passes."""

    def __init__(self) -> None:
        self._passes: dict[str, list[Tensor]] = {}

    def _new_pass(self, layer: str, value: Tensor) -> Tensor:
        self._passes.setdefault(layer, []).append(value)
        return value

    def _current(self, layer: str) -> Tensor:
        return self._passes[layer][-1]

    def _add(self, layer: str, start: int, value: Tensor) -> None:
        if start == 0:
            self._new_pass(layer, value)
        else:
            self._current(layer).add_(value)

    def _put(self, layer: str, start: int, value: Tensor, queries: int) -> None:
        """Rows `start:` of a tensor with `queries` rows on its third axis."""
        if start == 0:
            self._new_pass(layer, value.new_zeros(*value.shape[:2], queries, *value.shape[3:]))
        self._current(layer)[:, :, start : start + value.shape[2]] = value

    def result(self) -> dict[str, Tensor]:
        """Layer name -> all passes joined along the batch; the shorter ones filled up with zeros."""
        return {layer: _joined(parts) for layer, parts in self._passes.items()}


def _joined(parts: list[Tensor]) -> Tensor:
    widest = [max(sizes) for sizes in zip(*(p.shape[1:] for p in parts), strict=True)]
    if all(list(p.shape[1:]) == widest for p in parts):
        return torch.cat(parts)
    out = parts[0].new_zeros(sum(len(p) for p in parts), *widest)
    at = 0
    for part in parts:
        out[(slice(at, at + len(part)), *(slice(size) for size in part.shape[1:]))] = part
        at += len(part)
    return out


class Received(_PerLayer):
    """Attention that each token receives, summed over the queries: sum_i A_ij. [B, H, n]"""

    def rows(self, layer: str, start: int, probabilities: Tensor, queries: int) -> None:
        ones = probabilities.new_ones(1, probabilities.shape[2])  # a product is faster here than a sum over rows
        self._add(layer, start, (ones @ probabilities)[:, :, 0])


class Entropy(_PerLayer):
    """Entropy of each query's attention in nats: -sum_j A_ij log A_ij. [B, H, q]"""

    def rows(self, layer: str, start: int, probabilities: Tensor, queries: int) -> None:
        tiny = torch.finfo(probabilities.dtype).tiny
        log = probabilities.clamp_min(tiny).log_()
        self._put(layer, start, -torch.linalg.vecdot(probabilities, log), queries)


class Distance(_PerLayer):
    """How far each query looks on average, in tokens: sum_j A_ij |i - j|. [B, H, q]

    places: where the tokens stand, [n, axes], if not one after the other (the patches of an image: figure 11 of
    Dosovitskiy et al. 2021); Euclidean. Tokens of a `prefix` stand nowhere: they count as at distance 0.
    """

    def __init__(self, places: Float[Tensor, "n axes"] | None = None, prefix: int = 0) -> None:
        super().__init__()
        self.places, self.prefix = places, prefix

    def rows(self, layer: str, start: int, probabilities: Tensor, queries: int) -> None:
        r, n = probabilities.shape[2:]
        away = self._away(start, r, n, probabilities)
        self._put(layer, start, torch.linalg.vecdot(probabilities, away), queries)

    def _away(self, start: int, r: int, n: int, like: Tensor) -> Float[Tensor, "rows n"]:
        if self.places is not None:
            places = self.places.to(like)
            away = torch.cdist(places[start : start + r], places)
        else:
            place = torch.arange(n, device=like.device, dtype=like.dtype)
            away = (place[start : start + r, None] - place).abs()
        if self.prefix:
            away = away.clone()
            away[:, : self.prefix] = 0
            away[: max(0, self.prefix - start)] = 0
        return away


class Landmarks(_PerLayer):
    """Mass of each query on itself, the token before, the token after, and the first one: [B, H, q, 4]."""

    names = ("self", "previous", "next", "first")

    def rows(self, layer: str, start: int, probabilities: Tensor, queries: int) -> None:
        self._put(layer, start, landmark_mass(probabilities, start), queries)


def landmark_mass(probabilities: Float[Tensor, "B H rows n"], start: int) -> Float[Tensor, "B H rows 4"]:
    """A_ij at j = i, i - 1, i + 1 and 0, for the queries i = `start`, ...; 0 where there is no such token."""
    r, n = probabilities.shape[2:]
    own = torch.arange(start, start + r, device=probabilities.device)
    columns = torch.stack([own, own - 1, own + 1, torch.zeros_like(own)], dim=-1)
    there = (columns >= 0) & (columns < n)
    return probabilities.gather(-1, columns.clamp(0, n - 1).expand(*probabilities.shape[:2], -1, -1)) * there


class TopPairs(_PerLayer):
    """The `k` largest A_ij of each head: weights [B, H, k]; `pairs()` says which (query, key) they are."""

    def __init__(self, k: int) -> None:
        super().__init__()
        self.k = k
        self._places: dict[str, list[Tensor]] = {}

    def rows(self, layer: str, start: int, probabilities: Tensor, queries: int) -> None:
        r, n = probabilities.shape[2:]
        weight, flat = probabilities.flatten(2).topk(min(self.k, r * n))
        place = torch.stack([flat // n + start, flat % n], dim=-1)
        if start:
            weight = torch.cat([self._passes[layer].pop(), weight], dim=-1)
            place = torch.cat([self._places[layer].pop(), place], dim=2)
            weight, best = weight.topk(min(self.k, weight.shape[-1]))
            place = place.gather(2, best[..., None].expand(-1, -1, -1, 2))
        self._new_pass(layer, weight)
        self._places.setdefault(layer, []).append(place)

    def pairs(self) -> dict[str, Int[Tensor, "B H k 2"]]:
        return {layer: _joined(parts) for layer, parts in self._places.items()}


class FullMap(_PerLayer):
    """The whole matrix A. [B, H, q, n]

    It costs 4 x B x H x q x n bytes a layer. Raises ValueError, saying how much, before more than `limit` bytes are
    taken for one layer of one pass.
    """

    def __init__(self, limit: int = 1 << 30) -> None:
        super().__init__()
        self.limit = limit

    @staticmethod
    def cost(batch: int, heads: int, queries: int, keys: int) -> int:
        """Bytes for one layer."""
        return 4 * batch * heads * queries * keys

    def begins(self, layer, q, k, v, mask, bias) -> None:
        cost = self.cost(*q.shape[:3], k.shape[2])
        if cost > self.limit:
            raise ValueError(
                f"the full map of {layer} takes {cost / 2**30:.1f} GiB, the limit is {self.limit / 2**30:.1f}: give "
                "fewer or shorter inputs, a higher limit, or use an observer that reduces"
            )

    def rows(self, layer: str, start: int, probabilities: Tensor, queries: int) -> None:
        self._put(layer, start, probabilities, queries)


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
        self._add(layer, start, (product.clamp_(min=0) if self.positive else product).sum(-2))


class OutputNorm(_PerLayer):
    """Length of what each head gives to each query: |O_i|. [B, H, q]. Leaves the fused kernel on."""

    def ends(self, layer: str, out: Tensor) -> None:
        self._new_pass(layer, out.norm(dim=-1))


class GateGradient(_PerLayer):
    """dL/dg for a gate g = 1 on each head's output, which is sum_i O_i . dL/dO_i: [B, H].

    How much the loss would change if the head faded (Michel et al. 2019, eq. 2, before the absolute value). Leaves
    the fused kernel on.
    """

    def end_gradients(self, layer: str, out: Tensor, gradient: Tensor) -> None:
        kept = torch.promote_types(out.dtype, torch.float32)
        self._new_pass(layer, (out.to(kept) * gradient.to(kept)).sum((-2, -1)))
