"""Equal weights in, equal outputs and gradients out: timm, transformers and PyTorch Geometric beside ours."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from zoo.attention import Block, Edges, Mlp, Padding, Rotary, SelfAttention

B, N, D, H = 3, 11, 40, 5


def load(ours: nn.Module, pairs: dict[str, nn.Linear | nn.LayerNorm | list[nn.Linear]]) -> None:
    """Each of our linear layers and norms takes the weights of theirs, or of several of theirs one after the other."""
    with torch.no_grad():
        for name, theirs in pairs.items():
            theirs = theirs if isinstance(theirs, list) else [theirs]
            module = ours.get_submodule(name)
            module.weight.copy_(torch.cat([t.weight for t in theirs]))
            module.bias.copy_(torch.cat([t.bias for t in theirs]))


def shake(module: nn.Module) -> None:
    """Weights at which no part is trivial: biases and gains of their own."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for p in module.parameters():
            p.add_(torch.randn(p.shape, generator=generator) * 0.1)


def agree(ours: Callable[[Tensor], Tensor], theirs: Callable[[Tensor], Tensor], x: Tensor, keep=slice(None)) -> None:
    results = []
    for f in (ours, theirs):
        given = x.clone().requires_grad_()
        out = f(given)[keep]
        weight = torch.randn(out.shape, generator=torch.Generator().manual_seed(1))
        results.append((out, *torch.autograd.grad((out * weight).sum(), given)))
    for a, b in zip(*results, strict=True):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-5)


def test_timms_attention_and_block():
    from timm.models.vision_transformer import Block as TimmBlock

    theirs = TimmBlock(D, H, qkv_bias=True).eval()
    shake(theirs)
    ours = Block(SelfAttention(D, H), Mlp(D), D, eps=theirs.norm1.eps).eval()
    load(ours, {
        "norm1": theirs.norm1, "attention.qkv": theirs.attn.qkv, "attention.out": theirs.attn.proj,
        "norm2": theirs.norm2, "mlp.0": theirs.mlp.fc1, "mlp.2": theirs.mlp.fc2,
    })  # fmt: skip
    x = torch.randn(B, N, D)
    agree(ours.attention, theirs.attn, x)
    agree(ours, theirs, x)


def test_transformers_vit_layer():
    from transformers import ViTConfig, ViTModel

    config = ViTConfig(hidden_size=D, num_attention_heads=H, intermediate_size=70, num_hidden_layers=1)
    theirs = ViTModel(config, add_pooling_layer=False).eval()
    shake(theirs)
    names = {name.rsplit(".", 1)[-1]: m for name, m in theirs.named_modules()}
    (layer,) = theirs.layers
    ours = Block(SelfAttention(D, H), Mlp(D, 70 / D), D, eps=config.layer_norm_eps).eval()
    load(ours, {
        "norm1": layer.layernorm_before, "norm2": layer.layernorm_after,
        "attention.qkv": [names["q_proj"], names["k_proj"], names["v_proj"]], "attention.out": names["o_proj"],
        "mlp.0": names["fc1"], "mlp.2": names["fc2"],
    })  # fmt: skip
    agree(ours, layer, torch.randn(B, N, D))


@pytest.mark.parametrize("padded", [False, True])
def test_transformers_esm_layers(padded):
    from transformers import EsmConfig, EsmModel

    config = EsmConfig(
        vocab_size=33, hidden_size=D, num_attention_heads=H, intermediate_size=90, num_hidden_layers=1,
        mask_token_id=32, pad_token_id=1, position_embedding_type="rotary", token_dropout=False,
        attn_implementation="eager", hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
    )  # fmt: skip
    theirs = EsmModel(config, add_pooling_layer=False).eval()
    shake(theirs)
    (layer,) = theirs.encoder.layer
    own = layer.attention.self
    ours = Block(SelfAttention(D, H), Mlp(D, 90 / D), D, eps=config.layer_norm_eps).eval()
    load(ours, {
        "norm1": layer.attention.LayerNorm, "norm2": layer.LayerNorm,
        "attention.qkv": [own.query, own.key, own.value], "attention.out": layer.attention.output.dense,
        "mlp.0": layer.intermediate.dense, "mlp.2": layer.output.dense,
    })  # fmt: skip
    present = torch.arange(N) < torch.tensor([N, 7, 2])[:, None] if padded else torch.ones(B, N, dtype=torch.bool)
    x = torch.randn(B, N, D)

    def run_theirs(x: Tensor) -> Tensor:
        out = theirs(inputs_embeds=x, attention_mask=present.long()).last_hidden_state
        return out

    def run_ours(x: Tensor) -> Tensor:
        x = x * present[..., None]  # ESM's embedding zeroes what is padded
        rotation = Rotary().rotation(x, D // H, 0, None)
        return theirs.encoder.emb_layer_norm_after(ours(x, Padding(present), rotation))

    agree(run_ours, run_theirs, x, keep=present)


def test_geometrics_softmax_and_transformer_conv():
    from torch_geometric.nn import TransformerConv
    from torch_geometric.utils import softmax

    n = 17
    allowed = torch.rand(n, n, generator=torch.Generator().manual_seed(2)) < 0.3
    allowed[5] = False
    query, key = allowed.nonzero().T
    theirs = TransformerConv(D, D // H, heads=H, root_weight=False)
    shake(theirs)
    ours = SelfAttention(D, H)
    load(ours, {"qkv": [theirs.lin_query, theirs.lin_key, theirs.lin_value]})
    ours.out = nn.Identity()
    edges = Edges(query, key, n)
    index = torch.stack([key, query])
    agree(lambda x: ours(x[None], edges)[0], lambda x: theirs(x, index), torch.randn(n, D))
    q, k = torch.randn(1, 1, n, 4), torch.randn(1, 1, n, 4)
    seen = {}

    class Watch:
        wants_rows = True
        wants_gradients = False

        def edges(self, probabilities, edges):
            seen["a"] = probabilities

    edges.attend(q, k, k, watcher=Watch())
    logits = (q[0, 0, edges.query] * k[0, 0, edges.key]).sum(-1) / 2
    torch.testing.assert_close(seen["a"][0, 0], softmax(logits, edges.query, num_nodes=n))
