"""Random DNA in which nothing is planted, but whose neighbouring bases go together as in the human genome."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# P(next base | base), rows and columns A C G T: the 2,452 negatives of gue-prom300-tata's train part (random
# human genomic sequences with a TATA box), both strands counted. CpG observed/expected = .56.
HUMAN = np.array(
    [
        [0.3019, 0.1955, 0.2928, 0.2098],
        [0.2597, 0.3120, 0.1425, 0.2858],
        [0.2402, 0.2571, 0.3120, 0.1907],
        [0.1857, 0.2462, 0.2662, 0.3019],
    ]
)


def markov(num: int, length: int, transition: NDArray, draw: np.random.Generator) -> NDArray[np.uint8]:
    """uint8 [num, length]: first-order Markov chains that start from the stationary distribution."""
    values, vectors = np.linalg.eig(transition.T)
    stationary = np.real(vectors[:, np.argmax(np.real(values))])
    heights = np.cumsum(transition, axis=1)[:, :3]
    tickets = draw.random((length, num))
    codes = np.empty((length, num), dtype=np.uint8)
    if length:
        codes[0] = np.searchsorted(np.cumsum(stationary / stationary.sum())[:3], tickets[0], side="right")
    for t in range(1, length):
        codes[t] = (tickets[t, :, None] >= heights[codes[t - 1]]).sum(axis=1)
    return np.ascontiguousarray(codes.T)
