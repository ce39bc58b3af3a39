"""Which of our parts a timm model is made of. Each peculiarity of a family is one part in another's place."""

from __future__ import annotations

from timm.layers import QuickGELU as TheirQuickGELU
from timm.models.eva import Eva, EvaBlock
from timm.models.vision_transformer import Block, VisionTransformer
from torch import nn

from zoo.attention import Normed, Positions, Rotary
from zoo.attention.pretrained import WeightsError
from zoo.vision.backbone import QuickGELU, VisionBackbone
from zoo.vision.embed import ImageEmbedding
from zoo.vision.network import ImageNetwork
from zoo.vision.patches import LinearPatches
from zoo.vision.positions import Centred, GridPositions, Interpolated
from zoo.vision.readout import FrontTokens, MeanPatches, PooledToken, Readout


def composed(theirs: nn.Module) -> ImageNetwork:
    """Our modules in the shape of a timm ViT or Eva, with numbers of their own. Raises WeightsError for a family that
    has parts which we have not."""
    if wrong := foreign(theirs):
        raise WeightsError(f"{type(theirs).__name__} models with {wrong} are not among the families that load here")
    dim, depth, block = theirs.embed_dim, len(theirs.blocks), theirs.blocks[0]
    rotary = getattr(theirs, "rope", None) is not None
    patches = LinearPatches(dim, theirs.patch_embed.patch_size[0], theirs.patch_embed.proj.in_channels)
    positions = Centred() if rotary else _grid(theirs)
    embedding = ImageEmbedding(patches, positions, dim, theirs.num_prefix_tokens)
    backbone = VisionBackbone(
        dim,
        depth,
        block.attn.num_heads,
        block.mlp.fc1.out_features / dim,
        layer_scale=1.0 if _scaled(block) else None,
        positions=Rotary(theirs.rope.temperature, axes=2) if rotary else None,
        eps=block.norm1.eps,
    )
    if not isinstance(theirs.norm_pre, nn.Identity):
        backbone.positions = Normed(Positions(), dim, theirs.norm_pre.eps)
    if isinstance(theirs.norm, nn.Identity):
        backbone.norm = nn.Identity()
    if isinstance(block.mlp.act, TheirQuickGELU):
        for own in backbone.blocks:
            own.mlp[1] = QuickGELU()
    readout = _readout(theirs)
    head = nn.Linear(readout.width, theirs.num_classes) if theirs.num_classes else nn.Identity()
    return ImageNetwork(embedding, backbone, readout, head)


def foreign(theirs: nn.Module) -> str | None:
    """What it has and we have not."""
    if not isinstance(theirs, VisionTransformer | Eva):
        return "a kind of their own"
    block = theirs.blocks[0]
    if type(block) not in (Block, EvaBlock):
        return f"blocks of the kind {type(block).__name__}"
    mlp = block.mlp
    gated = hasattr(mlp, "fc1_g") or not hasattr(mlp, "fc2") or mlp.fc1.out_features != mlp.fc2.in_features
    if gated or not isinstance(mlp.norm, nn.Identity):
        return "gated or normalised MLPs"
    if not (type(block.mlp.act) is nn.GELU and block.mlp.act.approximate == "none") and not isinstance(
        block.mlp.act, TheirQuickGELU
    ):
        return f"the activation {type(block.mlp.act).__name__}"
    norms = [getattr(block.attn, name, None) for name in ("q_norm", "k_norm", "norm")]
    if any(not isinstance(norm, nn.Identity | None) for norm in norms) or getattr(block.attn, "gate", None) is not None:
        return "norms or gates inside the attention"
    if getattr(theirs, "rope", None) is not None and (
        theirs.pos_embed is not None or type(theirs.rope).__name__ != "RotaryEmbeddingDinoV3"
        or not theirs.rope.rotate_half
    ):  # fmt: skip
        return "rotary positions other than DINOv3's"
    if theirs.attn_pool is not None and theirs.attn_pool.latent_len != 1:
        return "several pooled tokens"
    return None


def _grid(theirs: nn.Module) -> GridPositions:
    if theirs.pos_embed is None:
        return GridPositions()
    of_front = 0 if theirs.no_embed_class else theirs.num_prefix_tokens
    side = round((theirs.pos_embed.shape[1] - of_front) ** 0.5)
    return Interpolated(side, side, theirs.embed_dim)


def _scaled(block: nn.Module) -> bool:
    own = getattr(block, "ls1", None) or getattr(block, "gamma_1", None)
    return own is not None and not isinstance(own, nn.Identity)


def _readout(theirs: nn.Module) -> Readout:
    dim, eps = theirs.embed_dim, theirs.blocks[0].norm1.eps
    if theirs.attn_pool is not None:
        pool = theirs.attn_pool
        return PooledToken(dim, pool.num_heads, pool.mlp.fc1.out_features / dim, pool.norm.eps)
    normed = not isinstance(theirs.fc_norm, nn.Identity)
    if theirs.global_pool == "avg":
        return MeanPatches(dim, normed, eps)
    if theirs.global_pool != "token" or normed:
        raise WeightsError(f"global_pool={theirs.global_pool!r} is not among the readouts that load here")
    return FrontTokens(dim, 2 if hasattr(theirs, "head_dist") else 1)
