"""Checkpoints shaped like ESM's, as transformers' EsmModel and EsmForMaskedLM save them.

    ESM-2 (Lin et al. 2023)                  rotary positions, token dropout
    ESM-1b (Rives et al. 2021)               learned positions, a norm after them, token dropout
    Nucleotide Transformer (Dalla-Torre et al. 2024)     learned positions, token dropout, a head of its own
    Nucleotide Transformer v2                rotary positions, gated MLPs without biases, a head of its own

All are pre-LN transformers with a last norm, which is the shared backbone; the rest is here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from zoo.attention.backbone import Backbone, GatedBackbone, UniformBackbone
from zoo.attention.block import GatedMlp
from zoo.attention.masked_lm import MaskedLM, TokenDropout
from zoo.attention.positions import Learned, Normed, Positions, StoredRotary
from zoo.attention.pretrained import Checkpoint, WeightsError
from zoo.attention.renaming import Rule, fill

PREFIX = "esm."  # of the trunk, in checkpoints that hold a head too


@dataclass(frozen=True)
class EsmShape:
    """What `config.json` says: dim D, depth blocks of num_heads heads, MLPs of `hidden`, norms with `eps`.

    places: length of the table of learned positions, without its unused rows; None for rotary ones.
    """

    vocabulary: int
    dim: int
    depth: int
    num_heads: int
    hidden: int
    eps: float
    pad_id: int
    mask_id: int
    places: int | None
    base: float
    norm_first: bool
    token_dropout: bool
    gated: bool
    tied: bool

    @classmethod
    def of(cls, checkpoint: Checkpoint) -> EsmShape:
        """Raises WeightsError if there is no config, or one of another family."""
        if wrong := cls._foreign(checkpoint.config):
            raise WeightsError(
                f"{checkpoint.source}: expected a config.json of an ESM model beside the weights, got {wrong}"
            )
        try:
            return cls._read(checkpoint.config)
        except KeyError as error:
            raise WeightsError(f"{checkpoint.source}: config.json does not say {error.args[0]}") from error

    @staticmethod
    def _foreign(config: Mapping[str, Any]) -> str | None:
        if not config:
            return "none"
        if (kind := config.get("model_type", "esm")) != "esm":  # Nucleotide Transformer v2 names none
            return f"one of {kind!r}"
        folds = config.get("is_folding_model") or config.get("is_decoder")
        return "a folding or decoding model's" if folds else None

    @classmethod
    def _read(cls, config: Mapping[str, Any]) -> EsmShape:
        positions = config.get("position_embedding_type", "absolute")
        if positions not in ("absolute", "rotary"):
            raise WeightsError(f"position_embedding_type: expected absolute or rotary, got {positions!r}")
        pad = config["pad_token_id"]
        return cls(
            vocabulary=config["vocab_size"],
            dim=config["hidden_size"],
            depth=config["num_hidden_layers"],
            num_heads=config["num_attention_heads"],
            hidden=config["intermediate_size"],
            eps=config["layer_norm_eps"],
            pad_id=pad,
            mask_id=config["mask_token_id"],
            places=config["max_position_embeddings"] - pad - 1 if positions == "absolute" else None,
            base=config.get("rope_theta", 10_000.0),
            norm_first=bool(config.get("emb_layer_norm_before")),
            token_dropout=bool(config.get("token_dropout")),
            gated=config.get("add_bias_fnn") is False,
            tied=config.get("tie_word_embeddings", True),
        )

    def backbone(self) -> UniformBackbone:
        """Of this shape, with weights of its own."""
        rotary = self.places is None
        positions: Positions = (
            StoredRotary(self.dim // self.num_heads, self.base) if rotary else Learned(self.places, self.dim)
        )
        if self.norm_first:
            positions = Normed(positions, self.dim, self.eps)
        build = GatedBackbone if self.gated else UniformBackbone
        return build(
            self.dim, self.depth, self.num_heads, self.hidden / self.dim, positions=positions, eps=self.eps
        )  # fmt: skip

    def misfits(self, backbone: Backbone) -> list[str]:
        """What a backbone built from a config has otherwise: `name=value` as it should be. (The shapes of weights alone
        would not tell heads, eps or the kind of norm.)"""
        with torch.device("meta"):
            wanted = arguments_of(self.backbone())
        found = arguments_of(backbone)
        return [f"{name}={value}" for name, value in wanted.items() if found.get(name) != value]


def arguments_of(backbone: Backbone) -> dict[str, Any]:
    """What one would write in a config to get a backbone of this kind."""
    block, positions = backbone.blocks[0], backbone.positions
    last = block.mlp.down if isinstance(block.mlp, GatedMlp) else block.mlp[-1]
    found = {
        "_target_": _home(backbone),
        "dim": backbone.dim,
        "depth": len(backbone.blocks),
        "num_heads": block.attention.num_heads,
        "mlp_ratio": round(last.in_features / backbone.dim, 6),
        "norm": "pre" if block.pre else "post",
        "num_prefix": backbone.num_prefix,
        "eps": block.norm1.eps,
        "positions._target_": _home(positions),
    }
    if isinstance(positions, Learned):
        found["positions.length"] = positions.table.shape[1]
    if isinstance(positions, StoredRotary):
        found["positions.head_dim"] = 2 * len(positions.frequency)
    return found


def _home(part: nn.Module) -> str:
    return f"{type(part).__module__}.{type(part).__qualname__}"


def backbone_rules(shape: EsmShape, ours: str) -> list[Rule]:
    """How the trunk's weights are called there and here; `ours` stands before each of our names."""
    layer, block = "encoder.layer.{i}.", f"{ours}blocks.{{i}}."
    parts = [f"{layer}attention.self.{part}.{{p}}" for part in ("query", "key", "value")]
    up, down = ("up", "down") if shape.gated else ("0", "2")
    inner = f"{ours}positions.inner" if shape.norm_first else f"{ours}positions"
    turned = "rotary_embeddings.inv_freq"
    return [
        Rule(f"{block}norm1.{{p}}", f"{layer}attention.LayerNorm.{{p}}"),
        Rule(f"{block}attention.qkv.{{p}}", *parts),
        Rule(f"{block}attention.out.{{p}}", f"{layer}attention.output.dense.{{p}}"),
        Rule(f"{block}norm2.{{p}}", f"{layer}LayerNorm.{{p}}"),
        Rule(f"{block}mlp.{up}.{{p}}", f"{layer}intermediate.dense.{{p}}"),
        Rule(f"{block}mlp.{down}.{{p}}", f"{layer}output.dense.{{p}}"),
        Rule(f"{ours}norm.{{p}}", "encoder.emb_layer_norm_after.{p}"),
        Rule(f"{inner}.frequency", turned),
        Rule(f"{inner}.frequency", f"encoder.layer.0.attention.self.{turned}"),  # transformers before 5,
        Rule(f"{inner}.frequency", f"encoder.layer.*.attention.self.{turned}"),  # and what 5 writes for it
        # Row pad_id + 1 is the first place; the rows before it are never read.
        Rule(
            f"{inner}.table",
            "embeddings.position_embeddings.weight",
            made=lambda table: table[None, shape.pad_id + 1 :],
        ),
        Rule(f"{ours}positions.norm.{{p}}", "embeddings.layer_norm.{p}"),
    ]


# Known and not wanted: counters, the frequencies of each layer (all are the first's), a pooler that masked language
# modelling never trained, and the contact head, which is read by itself.
LEFT_OUT = (
    "embeddings.position_ids",
    "encoder.layer.*.attention.self.rotary_embeddings.inv_freq",
    "pooler.dense.*",
    "contact_head.*",
)
HEAD_RULES = [
    Rule("table.weight", "embeddings.word_embeddings.weight"),
    Rule("head.0.{p}", "lm_head.dense.{p}"),
    Rule("head.2.{p}", "lm_head.layer_norm.{p}"),
    Rule("head.3.bias", "lm_head.bias"),
    Rule("head.3.weight", "lm_head.decoder.weight"),
]
STAYS = ("*positions.frequency", "*positions.inner.frequency")  # where a checkpoint has none, they follow from the base


def named_weights(checkpoint: Checkpoint) -> dict[str, Tensor]:
    """No prefix before the trunk, and the weight and bias of norms called so (transformers 5 writes gamma, beta)."""
    called = {".gamma": ".weight", ".beta": ".bias"}
    return {
        re.sub(r"\.(gamma|beta)$", lambda found: called[found[0]], name): weight
        for name, weight in checkpoint.without_prefix(PREFIX).items()
    }


def left_out(shape: EsmShape) -> tuple[str, ...]:
    """With the table of places that early ESM-2 files still carry."""
    return LEFT_OUT if shape.places is not None else (*LEFT_OUT, "embeddings.position_embeddings.weight")


def load_masked_lm(checkpoint: Checkpoint) -> MaskedLM:
    """The whole model, in eval mode. Raises WeightsError if it is no ESM, or if not every weight has its place."""
    shape = EsmShape.of(checkpoint)
    dropout = TokenDropout(shape.mask_id) if shape.token_dropout else None
    model = MaskedLM(shape.backbone(), shape.vocabulary, shape.pad_id, dropout, shape.eps)
    unwanted = left_out(shape)
    if shape.tied:
        model.tie()
        unwanted = (*unwanted, "lm_head.decoder.weight")
    rules = [*backbone_rules(shape, ours="backbone."), *HEAD_RULES]
    fill(model, named_weights(checkpoint), rules, unwanted, STAYS, checkpoint.source)
    return model.eval()
