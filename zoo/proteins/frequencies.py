"""How often residues stand in columns and in pairs of columns, each sequence with its weight."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8

STATES = 21  # residues and the gap
BLOCK_NUMBERS = 1 << 25  # of one-hot sequences held at once


@dataclass(frozen=True, eq=False)
class Frequencies:
    """single[i, a] = f_i(a); pair[i, a, j, b] = f_ij(a, b), of which pair[i, :, i, :] is diagonal."""

    single: Float[np.ndarray, "L q"]
    pair: Float[np.ndarray, "L q L q"]

    def with_pseudocount(self, share: float) -> Frequencies:
        """Mixed with `share` of the uniform distribution (Morcos et al. 2011, eq. 3)."""
        length, states = self.single.shape
        single = (1 - share) * self.single + share / states
        pair = (1 - share) * self.pair + share / states**2
        for i in range(length):
            pair[i, :, i, :] = np.diag(single[i])
        return Frequencies(single, pair)


def one_hot(codes: UInt8[np.ndarray, "N L"], states: int = STATES) -> Float[np.ndarray, "N L q"]:
    """float32; a code that is no state (the gap, of 20 states) is all zeros."""
    return (codes[:, :, None] == np.arange(states, dtype=np.uint8)).astype(np.float32)


def frequencies(codes: UInt8[np.ndarray, "N L"], weights: Float[np.ndarray, " N"]) -> Frequencies:
    """Of the columns as they are, without a pseudocount."""
    depth, length = codes.shape
    pair = np.zeros((length * STATES, length * STATES))
    step = max(1, BLOCK_NUMBERS // (length * STATES))
    for start in range(0, depth, step):
        x = one_hot(codes[start : start + step]).reshape(-1, length * STATES)
        pair += (x * weights[start : start + step, None].astype(np.float32)).T @ x
    pair = (pair / weights.sum()).reshape(length, STATES, length, STATES)
    single = np.stack([pair[i, :, i, :].diagonal() for i in range(length)])
    return Frequencies(single, pair)
