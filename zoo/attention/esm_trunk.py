"""The trunk of an ESM, without its head, behind the alphabet of a domain (`zoo.attention.esm` reads whole models)."""

from __future__ import annotations

from jaxtyping import Float, Int
from torch import Tensor, nn

from zoo.attention.backbone import Backbone
from zoo.attention.esm import STAYS, EsmShape, backbone_rules, left_out, named_weights
from zoo.attention.masked_lm import MASKED_IN_TRAINING
from zoo.attention.pretrained import Checkpoint, WeightsError
from zoo.attention.renaming import Rule, fill

HEAD = ("lm_head.*",)


def require_shape(backbone: Backbone, checkpoint: Checkpoint, option: str) -> EsmShape:
    """Raises WeightsError with what `option`, the backbone's place in the config, should say instead."""
    shape = EsmShape.of(checkpoint)
    if misfits := shape.misfits(backbone):
        wanted = " ".join(f"{option}.{misfit}" for misfit in misfits)
        raise WeightsError(f"{checkpoint.source} has another shape than the model: give {wanted}")
    return shape


def fill_trunk(
    parts: nn.Module, checkpoint: Checkpoint, rows: Int[Tensor, " words"], table: str, backbone: str
) -> None:
    """Fills the table of words and the backbone, called so within `parts`.

    rows: of their table, for each of our words. Raises WeightsError if a weight has no place, or a row is not there.
    """
    shape = EsmShape.of(checkpoint)
    # Without mask tokens, token dropout is a constant, which the table can carry.
    scale = 1 - MASKED_IN_TRAINING if shape.token_dropout else 1.0

    def in_our_order(theirs: Float[Tensor, "V D"]) -> Float[Tensor, "words D"]:
        if int(rows.max()) >= len(theirs):
            raise WeightsError(f"{checkpoint.source}: the vocabulary has more words than the weights have rows")
        return theirs[rows] * scale

    rules = [
        Rule(f"{table}.weight", "embeddings.word_embeddings.weight", made=in_our_order),
        *backbone_rules(shape, ours=f"{backbone}."),
    ]
    fill(parts, named_weights(checkpoint), rules, (*left_out(shape), *HEAD), STAYS, checkpoint.source)
