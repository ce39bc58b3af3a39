"""Checkpoints shaped like timm's vision transformers, in the shared backbone, for images of any size afterwards.

    ViT, DeiT (distilled too), DeiT III, FlexiViT     class token, learned positions
    ViT gap, reg4 gap                                 the mean of the patches; registers
    DINOv2, with registers                            LayerScale
    SigLIP                                            a pooled token
    CLIP                                              a norm before the first block, QuickGELU
    DINOv3                                            rotary positions on two axes, LayerScale

A timm model of the same architecture, without its weights, says which parts there are (`zoo.vision.timm_shape`); here
is what the weights are called.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import timm
import torch
from torch import Tensor, nn

from zoo.attention.pretrained import Checkpoint, WeightsError
from zoo.attention.renaming import Fitted, Rule, fill
from zoo.vision.model import ImageClassifier
from zoo.vision.network import ImageNetwork
from zoo.vision.patches import LinearPatches, resized_kernel
from zoo.vision.positions import Interpolated
from zoo.vision.readout import PooledToken
from zoo.vision.start import HEAD, StartImages
from zoo.vision.timm_shape import composed

BLOCK, THEIRS = "backbone.blocks.{i}.", "blocks.{i}."
RULES = [
    Rule("embedding.patches.project.weight", "patch_embed.proj.weight", made=lambda kernel: kernel.flatten(1)),
    Rule("embedding.patches.project.bias", "patch_embed.proj.bias"),
    Rule("embedding.prefix", "front"),
    Rule("embedding.positions.grid.table", "positions"),
    Rule("backbone.positions.norm.{p}", "norm_pre.{p}"),
    Rule(f"{BLOCK}norm1.{{p}}", f"{THEIRS}norm1.{{p}}"),
    Rule(f"{BLOCK}attention.qkv.{{p}}", f"{THEIRS}attn.qkv.{{p}}"),
    Rule(f"{BLOCK}attention.out.{{p}}", f"{THEIRS}attn.proj.{{p}}"),
    Rule(f"{BLOCK}attention.scale.gamma", f"{THEIRS}ls1.gamma"),
    Rule(f"{BLOCK}attention.scale.gamma", f"{THEIRS}gamma_1"),
    Rule(f"{BLOCK}norm2.{{p}}", f"{THEIRS}norm2.{{p}}"),
    Rule(f"{BLOCK}mlp.0.{{p}}", f"{THEIRS}mlp.fc1.{{p}}"),
    Rule(f"{BLOCK}mlp.2.{{p}}", f"{THEIRS}mlp.fc2.{{p}}"),
    Rule(f"{BLOCK}mlp.3.gamma", f"{THEIRS}ls2.gamma"),
    Rule(f"{BLOCK}mlp.3.gamma", f"{THEIRS}gamma_2"),
    Rule("backbone.norm.{p}", "norm.{p}"),
    Rule("readout.norm.{p}", "fc_norm.{p}"),
    Rule("readout.pool.query", "query"),
    Rule("readout.pool.kv.{p}", "attn_pool.kv.{p}"),
    Rule("readout.pool.out.{p}", "attn_pool.proj.{p}"),
    Rule("readout.norm.{p}", "attn_pool.norm.{p}"),
    Rule("readout.mlp.0.{p}", "attn_pool.mlp.fc1.{p}"),
    Rule("readout.mlp.2.{p}", "attn_pool.mlp.fc2.{p}"),
]
# With a token of distillation the answer is the mean of two heads: one head for both tokens side by side.
HEAD_RULES = [
    Rule("head.weight", "head.weight", "head_dist.weight", made=lambda w: torch.cat(w.chunk(2), dim=1) / 2),
    Rule("head.bias", "head.bias", "head_dist.bias", made=lambda b: sum(b.chunk(2)) / 2),
    Rule("head.{p}", "head.{p}"),
]


def load(source: str | Path, architecture: str | None = None, **arguments) -> ImageNetwork:
    """The model of a file, a folder, or a name on the hub (timm/...), in eval mode.

    architecture: timm's name of it, "vit_tiny_patch16_224" say; where a config.json beside the weights says it, it may
    be left out. arguments: of `timm.create_model`. Raises WeightsError if it is of no known family, or does not fit.
    """
    checkpoint = Checkpoint.open(source)
    architecture = architecture or checkpoint.config.get("architecture")
    if architecture is None:
        raise WeightsError(f"{source}: no config.json says what architecture it is; give its name in timm")
    head = checkpoint.weights.get("head.weight")
    arguments = {"num_classes": 0 if head is None else len(head)} | arguments
    return from_weights(checkpoint.weights, skeleton(architecture, **arguments), str(source))


def skeleton(architecture: str, **arguments) -> nn.Module:
    """timm's model without numbers. Raises WeightsError where timm knows no such name."""
    name = architecture.split(".")[0]
    if not timm.is_model(name):
        raise WeightsError(f"timm knows no architecture {architecture!r}: expected a name such as vit_tiny_patch16_224")
    with torch.device("meta"):
        return timm.create_model(name, pretrained=False, **arguments)


def from_weights(weights: Mapping[str, Tensor], theirs: nn.Module, source: str = "the checkpoint") -> ImageNetwork:
    """theirs: a timm model of the same architecture; only its shape is read."""
    model = composed(theirs)
    found = translated(weights, theirs.num_prefix_tokens)
    if "query" in found and isinstance(model.readout, PooledToken):
        found["query"] = found["query"].view_as(model.readout.pool.query)  # dealt out to the heads
    fill(model, found, [*RULES, *HEAD_RULES], LEFT_OUT, source=source)
    return model.eval()


LEFT_OUT = ("rope.periods", "mask_token")


def translated(weights: Mapping[str, Tensor], front: int) -> dict[str, Tensor]:
    """What is not merely renamed. front: how many class and register tokens there are.

    A class token that has a position of its own always stands there, so the two become one; what has no bias gets one
    of zeros; the query that reads the patches is its projection.
    """
    found = dict(weights)
    tokens = [found.pop(name)[0] for name in ("cls_token", "dist_token", "reg_token") if name in found]
    if tokens:
        found["front"] = torch.cat(tokens)
    if (places := found.pop("pos_embed", None)) is not None:
        of_front = places.shape[1] - _square(places.shape[1], front) ** 2
        if of_front:
            found["front"] = found["front"] + places[0, :of_front]
        side = _square(places.shape[1], front)
        found["positions"] = places[:, of_front:].mT.unflatten(2, (side, side))
    for name in [name for name in found if name.endswith("attn.qkv.weight")]:
        _with_bias(found, name.removesuffix("qkv.weight"))
    if "patch_embed.proj.bias" not in found and "patch_embed.proj.weight" in found:
        found["patch_embed.proj.bias"] = torch.zeros(len(found["patch_embed.proj.weight"]))
    if "attn_pool.latent" in found:
        latent, weight, bias = (found.pop(f"attn_pool.{name}") for name in ("latent", "q.weight", "q.bias"))
        found["query"] = nn.functional.linear(latent[0], weight, bias)
    return found


def _square(places: int, front: int) -> int:
    """The side of the grid, whether or not the tokens in front have places."""
    for count in (places, places - front):
        if (side := round(count**0.5)) ** 2 == count:
            return side
    raise WeightsError(f"pos_embed has {places} places, which are no square grid with or without {front} tokens")


def _with_bias(found: dict[str, Tensor], attention: str) -> None:
    """Eva keeps the biases of q and v apart, and has none for k."""
    name = f"{attention}qkv.bias"
    if name in found:
        return
    q, v = found.pop(f"{attention}q_bias", None), found.pop(f"{attention}v_bias", None)
    size = len(found[f"{attention}qkv.weight"])
    found[name] = torch.zeros(size) if q is None else torch.cat([q, torch.zeros_like(q), v])


class StartFromTimm(StartImages):
    """The parts of the model must be those of the checkpoint: their shapes are compared, and what differs is said."""

    def load(self, module: ImageClassifier, checkpoint: Checkpoint) -> None:
        fill_classifier(module, checkpoint)


def fill_classifier(module: ImageClassifier, checkpoint: Checkpoint) -> Fitted:
    """All but the head. A patch kernel and a grid of positions of another size are resized to the model's."""
    weights = translated(checkpoint.weights, module.embedding.front)
    unwanted = (*LEFT_OUT, "head.*", "head_dist.*")
    return fill(module, _resized(weights, module), RULES, unwanted, HEAD, checkpoint.source)


def _resized(weights: dict[str, Tensor], module: ImageClassifier) -> dict[str, Tensor]:
    kernel, table = weights.get("patch_embed.proj.weight"), weights.get("positions")
    if isinstance(module.embedding.patches, LinearPatches) and kernel is not None:
        weights["patch_embed.proj.weight"] = resized_kernel(kernel, module.embedding.patches.patch)
    if isinstance(module.embedding.positions, Interpolated) and table is not None:
        size = tuple(module.embedding.positions.grid.table.shape[2:])
        if table.shape[2:] != size:
            weights["positions"] = nn.functional.interpolate(table, size, mode="bicubic", antialias=True)
    return weights
