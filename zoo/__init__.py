"""One multi-head self-attention backbone that reads many worlds, and says what its attention learned."""

__version__ = "0.1.0"
