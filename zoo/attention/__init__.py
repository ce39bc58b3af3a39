"""Multi-head self-attention: tensors only."""

from zoo.attention.attend import Attend
from zoo.attention.backbone import Backbone, Encoded, UniformBackbone
from zoo.attention.block import AttentionPool, Block, Mlp, SelfAttention
from zoo.attention.masks import Mask, Padding
from zoo.attention.observe import Entropy, FullMap, Observer, Received, ReceivedGradient, observe
from zoo.attention.positions import Learned, Positions, Rotary, Sinusoidal

__all__ = [
    "Attend", "AttentionPool", "Backbone", "Block", "Encoded", "Entropy", "FullMap", "Learned", "Mask", "Mlp",
    "Observer", "Padding", "Positions", "Received", "ReceivedGradient", "Rotary", "SelfAttention", "Sinusoidal",
    "UniformBackbone", "observe",
]  # fmt: skip
