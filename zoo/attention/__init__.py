"""Multi-head self-attention: tensors only."""

from zoo.attention.attend import Attend
from zoo.attention.backbone import Backbone, Encoded, GatedBackbone, UniformBackbone
from zoo.attention.bias import Bias, DenseBias, OffsetBias
from zoo.attention.block import AttentionPool, AxialAttention, Block, CrossAttention, GatedMlp, Mlp, SelfAttention
from zoo.attention.edges import EdgeBias, Edges
from zoo.attention.groups import Between, BetweenGradient
from zoo.attention.local import Chunked, SlidingWindow
from zoo.attention.masks import Both, Causal, Dense, Mask, Padding, SelfExcluding
from zoo.attention.observe import Observer, observe
from zoo.attention.observers import (
    Distance,
    Entropy,
    FullMap,
    GateGradient,
    Landmarks,
    OutputNorm,
    Received,
    ReceivedGradient,
    TopPairs,
)
from zoo.attention.packed import Packed
from zoo.attention.positions import (
    Learned,
    LearnedGrid,
    Normed,
    Positions,
    RelativeBias,
    Rotary,
    Sinusoidal,
    StoredRotary,
)
from zoo.attention.rollout import Rollout
from zoo.attention.rotary import Rotation

__all__ = [
    "Attend", "AttentionPool", "AxialAttention", "Backbone", "Between", "BetweenGradient", "Bias", "Block", "Both",
    "Causal", "Chunked", "CrossAttention", "Dense", "DenseBias", "Distance", "EdgeBias", "Edges", "Encoded",
    "Entropy", "FullMap", "GateGradient", "GatedBackbone", "GatedMlp", "Landmarks", "Learned", "LearnedGrid", "Mask",
    "Mlp", "Normed", "Observer", "OffsetBias", "OutputNorm", "Packed", "Padding", "Positions", "Received",
    "ReceivedGradient", "RelativeBias", "Rollout", "Rotary", "Rotation", "SelfAttention", "SelfExcluding",
    "Sinusoidal", "SlidingWindow", "StoredRotary", "TopPairs", "UniformBackbone", "observe",
]  # fmt: skip
