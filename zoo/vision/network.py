"""Images -> tokens -> the shared backbone -> one vector for each image -> logits."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from zoo.attention import Backbone, Rotary
from zoo.vision.embed import ImageEmbedding, Tokens
from zoo.vision.layout import Arrangement
from zoo.vision.patches import Pixels
from zoo.vision.readout import Read, Readout


class ImageReader(nn.Module):
    """Mixed into whatever has an `embedding`, a `backbone`, a `readout` and a `head`.

    The same image gives the same numbers alone, beside others with padding, and packed with them in one row.
    """

    embedding: ImageEmbedding
    backbone: Backbone
    readout: Readout
    head: nn.Module

    def read(self, pixels: Pixels, arrangement: Arrangement = "packed") -> Read:
        return self.encode(self.embedding(pixels, arrangement))

    def encode(self, tokens: Tokens) -> Read:
        encoded = self.backbone(tokens.rows, tokens.layout.mask, tokens.places)
        return Read(*tokens.layout.images(encoded.tokens), tokens.grids, tokens.front)

    def vectors(self, pixels: Pixels, arrangement: Arrangement = "packed") -> Float[Tensor, "N D"]:
        return self.readout(self.read(pixels, arrangement))

    def forward(self, pixels: Pixels, arrangement: Arrangement = "packed") -> Float[Tensor, "N classes"]:
        return self.head(self.vectors(pixels, arrangement))


class ImageNetwork(ImageReader):
    """The four parts and nothing else."""

    def __init__(self, embedding: ImageEmbedding, backbone: Backbone, readout: Readout, head: nn.Module):
        super().__init__()
        if wrong := misfit(embedding, backbone):
            raise ValueError(wrong)
        self.embedding, self.backbone, self.readout, self.head = embedding, backbone, readout, head


def misfit(embedding: ImageEmbedding, backbone: Backbone) -> str | None:
    """Why the two cannot work together, in one sentence."""
    rotary = isinstance(backbone.positions, Rotary)
    if rotary and not embedding.rotary:
        return "backbone.positions are rotary and the embedding gives no places: take Cells or Centred positions"
    if embedding.rotary and not rotary:
        return "the embedding gives places and backbone.positions read none: take Rotary with axes=2"
    if backbone.num_prefix:
        return "num_prefix must be 0: each image has tokens of its own in front (embedding.front)"
    return None
