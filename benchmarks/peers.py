"""The peers, built with a backbone's own weights, so that equal inputs must give equal outputs."""

from __future__ import annotations

from functools import partial

import torch
from timm.layers import LayerNorm
from timm.models.vision_transformer import Block as TimmBlock
from torch import Tensor, nn

from benchmarks.results import device, dtype
from zoo.attention import Rotary, UniformBackbone


class Tokens(nn.Module):
    """A backbone as a function from tokens to tokens."""

    def __init__(self, backbone: UniformBackbone):
        super().__init__()
        self.backbone = backbone

    def forward(self, tokens: Tensor) -> Tensor:
        return self.backbone(tokens).tokens


def timm_blocks(ours: UniformBackbone) -> nn.Sequential:
    first = ours.blocks[0]
    heads, hidden = first.attention.num_heads, first.mlp[0].out_features
    norm = partial(LayerNorm, eps=first.norm1.eps)
    theirs = [
        TimmBlock(ours.dim, heads, hidden / ours.dim, qkv_bias=True, norm_layer=norm, depth=i)
        for i in range(len(ours.blocks))
    ]
    for block, its in zip(ours.blocks, theirs, strict=True):
        _load(its.norm1, block.norm1)
        _load(its.attn.qkv, block.attention.qkv)
        _load(its.attn.proj, block.attention.out)
        _load(its.norm2, block.norm2)
        _load(its.mlp.fc1, block.mlp[0])
        _load(its.mlp.fc2, block.mlp[2])
    last = nn.LayerNorm(ours.dim)
    _load(last, ours.norm)
    return _placed(nn.Sequential(*theirs, last))


def torch_encoder(ours: UniformBackbone) -> nn.TransformerEncoder:
    first = ours.blocks[0]
    layer = nn.TransformerEncoderLayer(
        ours.dim,
        first.attention.num_heads,
        first.mlp[0].out_features,
        dropout=0.0,
        activation="gelu",
        batch_first=True,
        norm_first=True,
    )
    theirs = nn.TransformerEncoder(layer, len(ours.blocks), nn.LayerNorm(ours.dim), enable_nested_tensor=False)
    for block, its in zip(ours.blocks, theirs.layers, strict=True):
        _load(its.norm1, block.norm1)
        its.self_attn.in_proj_weight.data.copy_(block.attention.qkv.weight.data)
        its.self_attn.in_proj_bias.data.copy_(block.attention.qkv.bias.data)
        _load(its.self_attn.out_proj, block.attention.out)
        _load(its.norm2, block.norm2)
        _load(its.linear1, block.mlp[0])
        _load(its.linear2, block.mlp[2])
    _load(theirs.norm, ours.norm)
    return _placed(theirs)


class Esm(nn.Module):
    """transformers' EsmModel on tokens that are embedded already; without positions if the backbone has none."""

    def __init__(self, ours: UniformBackbone, attention: str = "sdpa"):
        from transformers import EsmConfig, EsmModel

        super().__init__()
        first = ours.blocks[0]
        config = EsmConfig(
            vocab_size=33,
            hidden_size=ours.dim,
            num_hidden_layers=len(ours.blocks),
            num_attention_heads=first.attention.num_heads,
            intermediate_size=first.mlp[0].out_features,
            position_embedding_type="rotary" if isinstance(ours.positions, Rotary) else "absolute",
            hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0,
            layer_norm_eps=first.norm1.eps,
            pad_token_id=1,
            attn_implementation=attention,
        )
        self.esm = EsmModel(config, add_pooling_layer=False)
        for block, its in zip(ours.blocks, self.esm.encoder.layer, strict=True):
            _load(its.attention.LayerNorm, block.norm1)
            parts = (its.attention.self.query, its.attention.self.key, its.attention.self.value)
            for part, weight, bias in zip(
                parts, block.attention.qkv.weight.chunk(3), block.attention.qkv.bias.chunk(3), strict=True
            ):
                part.weight.data.copy_(weight.data)
                part.bias.data.copy_(bias.data)
            _load(its.attention.output.dense, block.attention.out)
            _load(its.LayerNorm, block.norm2)
            _load(its.intermediate.dense, block.mlp[0])
            _load(its.output.dense, block.mlp[2])
        _load(self.esm.encoder.emb_layer_norm_after, ours.norm)
        _placed(self)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.esm(inputs_embeds=tokens).last_hidden_state

    def maps(self, tokens: Tensor) -> tuple[Tensor, ...]:
        """The attention of each layer, [B, H, n, n]; with `attention="eager"` alone."""
        return self.esm(inputs_embeds=tokens, output_attentions=True).attentions


def check_equal(ours: nn.Module, theirs: nn.Module, tokens: Tensor) -> float:
    """The largest difference of the outputs; an error if it is more than rounding."""
    with torch.no_grad():
        difference = (ours(tokens) - theirs(tokens)).abs().max().item()
    allowed = 1e-4 if tokens.dtype == torch.float32 else 0.1
    if not difference < allowed:
        raise ValueError(f"{type(theirs).__name__} differs by {difference:.2g} with equal weights, not < {allowed}")
    return difference


def _load(its: nn.Module, ours: nn.Module) -> None:
    its.load_state_dict(ours.state_dict())


def _placed(module: nn.Module) -> nn.Module:
    return module.to(device(), dtype())
