"""How much each sequence of an alignment counts: close relatives share one vote.

    w_n = 1 / |{m : identity(n, m) >= 0.8}|         Meff = sum_n w_n          (Morcos et al. 2011, eq. 4)

Identity is over all columns; two gaps in one column are alike, as in CCMpred and in plmDCA.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, UInt8

IDENTITY = 0.8
BITS = 5  # of a residue's code
BLOCK_WORDS = 1 << 21


def sequence_weights(codes: UInt8[np.ndarray, "N L"], identity: float = IDENTITY) -> Float[np.ndarray, " N"]:
    """w_n; their sum is Meff. All pairs are compared, 64 columns at a time (bit planes, XOR and a count of bits)."""
    depth, length = codes.shape
    most_differences = length - int(np.ceil(identity * length - 1e-9))
    planes = _bit_planes(codes)  # [BITS, words, N]
    neighbours = np.zeros(depth, dtype=np.int64)
    step = max(1, BLOCK_WORDS // depth)
    for start in range(0, depth, step):
        stop = min(start + step, depth)
        different = np.zeros((stop - start, depth - start), dtype=np.uint16)
        for word in range(planes.shape[1]):
            changed = planes[0, word, start:stop, None] ^ planes[0, word, None, start:]
            for plane in planes[1:, word]:
                changed |= plane[start:stop, None] ^ plane[None, start:]
            different += np.bitwise_count(changed)
        alike = different <= most_differences
        neighbours[start:stop] += alike.sum(1)
        neighbours[stop:] += alike[:, stop - start :].sum(
            0
        )  # the block's rows seen from the rest; its own square is whole
    return 1.0 / neighbours


def effective_depth(codes: UInt8[np.ndarray, "N L"], identity: float = IDENTITY) -> float:
    """Meff."""
    return float(sequence_weights(codes, identity).sum())


def _bit_planes(codes: UInt8[np.ndarray, "N L"]) -> np.ndarray:
    """Bit b of 64 columns of a sequence as one word: [BITS, words, N]."""
    depth, length = codes.shape
    words = -(-length // 64)
    padded = np.zeros((depth, words * 64), dtype=np.uint8)
    padded[:, :length] = codes
    return np.stack([np.packbits((padded >> b) & 1, axis=1).view(np.uint64).T for b in range(BITS)]).copy()
