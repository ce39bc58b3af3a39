"""Is an aligned set of sites one motif or two? Two factors that share a half-site (AP-1 and the estrogen receptor share
GTCA) can end in one alignment, whose counts are then a blend that neither binds.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, UInt8

_ROUNDS = 40
_PSEUDOCOUNT = 0.5


def larger_half(codes: UInt8[np.ndarray, "n width"], weight: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"] | None:
    """P(site belongs to the larger of two motifs), or None where one motif explains the sites as well.

    A mixture of two product multinomials is fitted by EM and held against one of them by the Bayesian information
    criterion: 3 width + 1 more parameters. weight: how far each site counts. N (4) says
    nothing.
    """
    n, width = float(weight.sum()), codes.shape[1]
    one_hot = np.eye(5)[codes][:, :, :4].reshape(len(codes), -1)
    single = _log_probability(one_hot, weight)
    share = _start(codes, weight)
    if share is None:
        return None
    for _ in range(_ROUNDS):
        prior = np.clip((weight * share).sum() / n, 1e-6, 1 - 1e-6)
        first = one_hot @ _log_probability(one_hot, weight * share) + np.log(prior)
        second = one_hot @ _log_probability(one_hot, weight * (1 - share)) + np.log(1 - prior)
        share = 1 / (1 + np.exp(np.clip(second - first, -500, 500)))
    gain = weight @ (np.logaddexp(first, second) - one_hot @ single)
    if gain <= 0.5 * (3 * width + 1) * np.log(n):
        return None
    return share if weight @ share >= n / 2 else 1 - share


def _log_probability(one_hot: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """log p of each column's bases, flat as `one_hot`'s columns."""
    counts = (weight @ one_hot).reshape(-1, 4) + _PSEUDOCOUNT
    return np.log(counts / counts.sum(1, keepdims=True)).ravel()


def _start(codes: np.ndarray, weight: np.ndarray) -> np.ndarray | None:
    """Sites apart by the base of the column that tells most about another: 0.9 if the commonest base, else 0.1."""
    width = codes.shape[1]
    best, chosen = 0.0, None
    for i in range(width):
        for j in range(width):
            if i == j:
                continue
            joint = np.bincount(codes[:, i].astype(int) * 5 + codes[:, j], weight, 25).reshape(5, 5)[:4, :4]
            total = joint.sum()
            if total <= 0:
                continue
            expected = np.outer(joint.sum(1), joint.sum(0)) / total
            told = (joint * np.log(np.where(joint > 0, joint, 1) / np.where(expected > 0, expected, 1))).sum()
            if told > best:
                best, chosen = told, i
    if chosen is None:
        return None
    commonest = np.bincount(codes[:, chosen], weight, 5)[:4].argmax()
    return np.where(codes[:, chosen] == commonest, 0.9, 0.1)
