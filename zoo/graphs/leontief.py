"""What a shock to one agent means for all others, exactly.

    p = W p + s   =>   p = (I - W)^-1 s = (I + W + W^2 + ...) s              (Leontief 1936; W: buyers are rows)

W^k is what comes over exactly k hops. l = (I - W)^-1 are the total requirements: l_ij is what a shock of 1 to agent j
adds to the price of agent i.

Axes: n agents, S scenarios, L hops.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from scipy.sparse.csgraph import shortest_path

from zoo.domain.errors import InputError


def total_requirements(w: Float[np.ndarray, "n n"]) -> Float[np.ndarray, "n n"]:
    """(I - W)^-1. Raises InputError where it does not exist or the series does not converge."""
    radius = np.abs(np.linalg.eigvals(w)).max(initial=0.0)
    if radius >= 1 - 1e-9:
        raise InputError(
            f"the shares have spectral radius {radius:.3f}: prices have a solution only below 1; some agents must buy "
            "from outside"
        )
    return np.linalg.inv(np.eye(len(w)) - w)


def within_hops(w: Float[np.ndarray, "n n"], hops: int) -> Float[np.ndarray, "n n"]:
    """I + W + ... + W^hops: what a model of `hops` layers can know."""
    total = power = np.eye(len(w))
    for _ in range(hops):
        power = power @ w
        total = total + power
    return total


def hop_distance(w: Float[np.ndarray, "n n"]) -> Float[np.ndarray, "n n"]:
    """Fewest links from supplier j (column) to buyer i (row); inf where there is no way."""
    return shortest_path(w > 0, unweighted=True)


def ceiling(graphs_w: list[Float[np.ndarray, "n n"]], hops: int) -> float:
    """The R2 that a model which sees `hops` hops cannot exceed, for independent equal shocks:

        1 - sum_{dist > L} l_ij^2 / sum_{dist > 0} l_ij^2

    Reached where all ways between two agents are equally long; elsewhere even a perfect model of L layers lacks the
    longer ways of near pairs.
    """
    beyond = everything = 0.0
    for w in graphs_w:
        effect, distance = total_requirements(w) ** 2, hop_distance(w)
        beyond += effect[(distance > hops) & np.isfinite(distance)].sum()
        everything += effect[(distance > 0) & np.isfinite(distance)].sum()
    return float(1 - beyond / everything)
