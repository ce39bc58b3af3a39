"""Where the attention of one image looks, on the image's own grid.

    attention x gradient  sum over layers, heads and queries of max(0, A_ij dL/dA_ij) for each patch j, L the log-odds
                          of a class (Chefer et al. 2021, eq. 5): where reading less would speak against the class
    rollout               how much of what is read goes back to each patch (Abnar & Zuidema 2020)
    integrated gradients  what each patch adds to L on the way from the image painted over with its mean colour to the
                          image, by every path: attention, residual and readout (Sundararajan et al. 2017, of tokens)
    heads                 attention that each patch receives in each head, and how far the head looks (Dosovitskiy et
                          al. 2021, mean attention distance)

Axes: h, w the image's grid, H heads.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from zoo.attention import Distance, Received, ReceivedGradient, Rollout, observe
from zoo.vision.network import ImageReader
from zoo.vision.perturb import painted_over
from zoo.vision.resize import Grid

TOGETHER = 4096  # tokens whose gradients are taken at once


@dataclass(frozen=True, eq=False)
class Look:
    """What one image's attention says about the class `target`, with `probability` of each class. distance: patches,
    of what goes to patches, the mean over queries, [H] for each layer; received: the mean over queries, [H, h, w] for
    each layer."""

    target: int
    probability: Float[Tensor, " classes"]
    gradient: Float[Tensor, "h w"]
    rollout: Float[Tensor, "h w"]
    integrated: Float[Tensor, "h w"]
    received: Mapping[str, Float[Tensor, "H h w"]]
    distance: Mapping[str, Float[Tensor, " H"]]

    @property
    def grid(self) -> Grid:
        return Grid(*self.gradient.shape)


class _PatchDistance(Distance):
    """Of self-attentions alone: a pooling query stands nowhere. The tokens of the prefix stand nowhere either: what
    goes to the patches counts as the whole."""

    def rows(self, layer: str, start: int, probabilities: Tensor, queries: int) -> None:
        if queries == probabilities.shape[3]:
            to_patches = probabilities.clone()
            to_patches[..., : self.prefix] = 0
            to_patches /= to_patches.sum(-1, keepdim=True).clamp(min=1e-12)
            super().rows(layer, start, to_patches, queries)


@torch.enable_grad()
def look(model: ImageReader, pixels: Float[Tensor, "3 H W"], target: int | None = None) -> Look:
    """target: a class; None takes the likeliest. The model must be in eval mode, and is left as it was."""
    grid, front = model.embedding.patches.grids([pixels])[0], model.embedding.front
    pixels = pixels.detach().requires_grad_()
    nowhere = torch.zeros(front, 2)
    places = torch.cartesian_prod(torch.arange(grid.height), torch.arange(grid.width)).view(-1, 2).float()
    gradient, rollout, received = ReceivedGradient(positive=True), Rollout(), Received()
    distance = _PatchDistance(torch.cat([nowhere, places]), front)
    with observe(model, gradient, rollout, received, distance):
        read = model.read([pixels])
        logits = model.head(model.readout(read))[0]
        target = int(logits.argmax()) if target is None else target
        torch.autograd.grad(log_odds(logits, target), pixels)  # down to the image: the parameters may be frozen
    with torch.no_grad():
        shares = model.readout.weights(read)
        rolled = rollout.of(shares)[0, front:]
    evidence = sum(_of_patches(x.sum(1)[0], grid) for x in gradient.result().values())
    tokens = front + grid.tokens
    return Look(
        target,
        logits.detach().softmax(-1).cpu(),
        evidence.detach().cpu(),
        rolled.view(grid).cpu(),
        integrated_gradients(model, pixels.detach(), target).cpu(),
        {name: _of_patches(x[0], grid).cpu() / tokens for name, x in received.result().items() if "backbone" in name},
        {layer: x[0, :, front:].mean(1).cpu() for layer, x in distance.result().items()},
    )


@torch.enable_grad()
def integrated_gradients(
    model: ImageReader, pixels: Float[Tensor, "3 H W"], target: int, steps: int = 16
) -> Float[Tensor, "h w"]:
    """(x_j - x'_j) . (mean over the way from x' to x of dL/dx_j): x the tokens that enter the backbone, x' those of the
    image painted over with its mean colour (Sundararajan et al. 2017, eq. 3; midpoints of `steps` parts of the way).

    The sum over the patches is L(image) - L(painted over), up to the coarseness of the steps.
    """
    grid = model.embedding.patches.grids([pixels])[0]
    with torch.no_grad():
        start, image = (model.embedding([x], "padded").rows for x in (painted_over(pixels), pixels))
    slopes = []
    for share in ((torch.arange(steps) + 0.5) / steps).split(max(1, TOGETHER // image.shape[1])):
        rows = (start + share.to(image)[:, None, None] * (image - start)).requires_grad_()
        with torch.no_grad():
            laid_out = model.embedding([pixels] * len(rows), "padded")
        logits = model.head(model.readout(model.encode(replace(laid_out, rows=rows))))
        slopes.append(torch.autograd.grad(sum(log_odds(own, target) for own in logits), rows)[0])
    return _of_patches(((image - start)[0] * torch.cat(slopes).mean(0)).sum(-1), grid)


def log_odds(logits: Float[Tensor, " classes"], target: int) -> Float[Tensor, ""]:
    """log p / (1 - p). Its gradient does not vanish where the model is sure, as that of p does."""
    others = torch.cat([logits[:target], logits[target + 1 :]])
    return logits[target] - others.logsumexp(0)


def _of_patches(values: Float[Tensor, "*heads n"], grid: Grid) -> Float[Tensor, "*heads h w"]:
    """The patches are last, whatever stands in front of them."""
    return values[..., -grid.tokens :].unflatten(-1, tuple(grid))


def even_distance(grid: Grid) -> float:
    """Mean distance, in patches, of attention that goes everywhere alike."""
    places = torch.cartesian_prod(torch.arange(grid.height), torch.arange(grid.width)).view(-1, 2).float()
    return float(torch.cdist(places, places).mean())
