"""A masked language model: tokens by number in, a logit for each token of the vocabulary out (Devlin et al. 2019).

Axes: B batch, n tokens, D model width, V vocabulary.
"""

from __future__ import annotations

from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from zoo.attention.backbone import Backbone, Encoded
from zoo.attention.masks import Padding

MASKED_IN_TRAINING = 0.15 * 0.8  # the share of tokens that ESM saw as mask tokens


class KeptAsGiven(nn.Module):
    """What happens to embedded tokens before the backbone: nothing."""

    def forward(
        self, x: Float[Tensor, "B n D"], ids: Int[Tensor, "B n"], present: Bool[Tensor, "B n"]
    ) -> Float[Tensor, "B n D"]:
        return x


class TokenDropout(KeptAsGiven):
    """Mask tokens are zeroed as by dropout, and the others scaled up to make up for them (ESM, Rives et al. 2021):

        x (1 - trained) / (1 - masked),    masked: share of mask tokens in the sequence

    At inference too: a sequence without mask tokens is scaled by 1 - `trained`, the share that training masked.
    """

    def __init__(self, mask_id: int, trained: float = MASKED_IN_TRAINING):
        super().__init__()
        self.mask_id, self.trained = mask_id, trained

    def forward(
        self, x: Float[Tensor, "B n D"], ids: Int[Tensor, "B n"], present: Bool[Tensor, "B n"]
    ) -> Float[Tensor, "B n D"]:
        masked = ids == self.mask_id
        share = masked.sum(1) / present.sum(1)
        return x.masked_fill(masked[..., None], 0.0) * ((1 - self.trained) / (1 - share))[:, None, None].to(x.dtype)


class MaskedLM(nn.Module):
    """Embedding, token dropout, the shared backbone, and a head: linear, GELU, LayerNorm, linear to the vocabulary.

    pad_id: the token that stands where a sequence of the batch has ended.
    """

    def __init__(
        self, backbone: Backbone, vocabulary: int, pad_id: int, dropout: KeptAsGiven | None = None, eps: float = 1e-5
    ):
        super().__init__()
        dim = backbone.dim
        self.pad_id = pad_id
        self.table = nn.Embedding(vocabulary, dim)
        nn.init.trunc_normal_(self.table.weight, std=0.02)
        self.dropout = KeptAsGiven() if dropout is None else dropout
        self.backbone = backbone
        self.head = nn.Sequential(nn.Linear(dim, dim), nn.GELU(), nn.LayerNorm(dim, eps), nn.Linear(dim, vocabulary))

    def tie(self) -> MaskedLM:
        """The last layer and the embedding share one table."""
        self.head[-1].weight = self.table.weight
        return self

    def encode(self, ids: Int[Tensor, "B n"]) -> Encoded:
        present = ids != self.pad_id
        x = self.dropout(self.table(ids), ids, present)
        return self.backbone(x, None if bool(present.all()) else Padding(present))

    def forward(self, ids: Int[Tensor, "B n"]) -> Float[Tensor, "B n V"]:
        return self.head(self.encode(ids).tokens)
