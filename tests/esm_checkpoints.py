"""Random checkpoints of every ESM shape, made and saved by transformers: the reference and the file in one."""

from __future__ import annotations

import itertools
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn
from transformers import EsmConfig, EsmForMaskedLM

V, D, HEADS, DEPTH, HIDDEN, PLACES = 33, 40, 5, 3, 90, 64  # no two axes agree
PAD, EOS, MASK = 1, 2, 32
FAMILIES = {
    "esm2": {"position_embedding_type": "rotary", "token_dropout": True},
    "esm1b": {"position_embedding_type": "absolute", "token_dropout": True, "emb_layer_norm_before": True},
    "nt_v1": {"position_embedding_type": "absolute", "token_dropout": True, "tie_word_embeddings": False},
    "nt_v2": {"position_embedding_type": "rotary", "tie_word_embeddings": False, "add_bias_fnn": False},
}


class Gated(nn.Module):
    """The first half of Nucleotide Transformer v2's MLP, which transformers itself does not have: its published code
    projects to twice the width without a bias, and multiplies the second half by the SiLU of the first."""

    def __init__(self, config: EsmConfig):
        super().__init__()
        self.dense = nn.Linear(config.hidden_size, 2 * config.intermediate_size, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.dense(x)
        half = x.shape[-1] // 2
        return x[..., half:] * F.silu(x[..., :half])


ESM_SHAPE = [
    f"backbone.residues.encoder.{word}"
    for word in (f"dim={D}", f"depth={DEPTH}", f"num_heads={HEADS}", f"mlp_ratio={HIDDEN / D}",
                 f"positions.head_dim={D // HEADS}")
]  # fmt: skip


def reference(family: str, seed: int = 0, **changes) -> EsmForMaskedLM:
    """In eval mode, with weights at which no part is trivial."""
    sizes = {
        "vocab_size": V, "hidden_size": D, "num_attention_heads": HEADS, "intermediate_size": HIDDEN,
        "num_hidden_layers": DEPTH, "max_position_embeddings": PLACES, "mask_token_id": MASK, "pad_token_id": PAD,
        "eos_token_id": EOS, "layer_norm_eps": 1e-5, "attn_implementation": "eager",
    }  # fmt: skip
    config = EsmConfig(**{**sizes, **FAMILIES[family], **changes})
    model = EsmForMaskedLM(config)
    if family == "nt_v2":
        for layer in model.esm.encoder.layer:
            layer.intermediate = Gated(config)
            layer.output.dense = nn.Linear(config.intermediate_size, config.hidden_size, bias=False)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in model.parameters():
            p.add_(torch.randn(p.shape, generator=generator) * 0.1)
        if family in ("esm1b", "nt_v1"):  # nobody reads this row, and an Embedding keeps it at zero
            model.esm.embeddings.position_embeddings.weight[PAD] = 0
    return model.eval()


def sharp_esm2() -> EsmForMaskedLM:
    """Sharper than random heads, so that there are contacts to agree on."""
    model = reference("esm2")
    with torch.no_grad():
        for layer in model.esm.encoder.layer:
            layer.attention.self.query.weight *= 2
            layer.attention.self.key.weight *= 2
        model.esm.contact_head.regression.weight *= 20
    return model


def saved(model: EsmForMaskedLM, folder: Path) -> Path:
    model.save_pretrained(folder)
    return folder


def batch(seed: int = 0, lengths: tuple[int, ...] = (19, 7, 2), masks: bool = True) -> torch.Tensor:
    """Tokens by number: CLS, residues (some of them masked), EOS, padding."""
    generator = torch.Generator().manual_seed(seed)
    ids = torch.full((len(lengths), max(lengths) + 2), PAD)
    for row, length in zip(ids, lengths, strict=True):
        row[0], row[length + 1] = 0, EOS
        row[1 : length + 1] = torch.randint(4, 30, (length,), generator=generator)
    if masks:
        ids[0, 3], ids[0, 9], ids[1, 2] = MASK, MASK, MASK
    return ids


# ---- Nucleotide Transformer, as its authors publish it

K = 3  # bases a token; published models have 6, one has 3
ITS_SHAPE = [
    f"backbone.dim={D}", f"backbone.depth={DEPTH}", f"backbone.num_heads={HEADS}", f"backbone.mlp_ratio={HIDDEN / D}",
    "backbone.eps=1e-5", f"backbone.positions.head_dim={D // HEADS}", f"model.embedding.k={K}",
]  # fmt: skip


def vocabulary(k: int = K) -> list[str]:
    """Of a Nucleotide Transformer, in the authors' order of letters, which is not ours."""
    special = ["<unk>", "<pad>", "<mask>", "<cls>", "<eos>", "<bos>"]
    return special + ["".join(letters) for letters in itertools.product("ATCG", repeat=k)] + list("ATCGN")


def published(folder: Path, family: str) -> EsmForMaskedLM:
    """A random Nucleotide Transformer with its vocabulary, as it would be downloaded; gives the model behind it."""
    table = vocabulary()
    model = reference(family, vocab_size=len(table), mask_token_id=2, eos_token_id=4)
    saved(model, folder)
    (folder / "vocab.txt").write_text("\n".join(table))
    return model
