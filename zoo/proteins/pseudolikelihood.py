"""What a pairwise model of a family is fitted to: each residue given all others of its sequence.

    log p(x_i = a | x_rest) = h_i(a) + sum_j W_ij(a, x_j) - log Z_i

(Balakrishnan et al. 2011; Ekeberg et al. 2013)

A gap is a missing value, not a 21st residue: it is not predicted and predicts nothing, as in CCMpred.

Axes: n sequences, L columns, q = 20 residues.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from zoo.proteins.alphabet import GAP, RESIDUES
from zoo.proteins.frequencies import one_hot


@dataclass(frozen=True, eq=False)
class Observed:
    """Sequences as a pairwise model reads them. residues: one-hot, zeros at gaps. weight: of each sequence."""

    residues: Float[Tensor, "n L q"]
    codes: Int[Tensor, "n L"]
    weight: Float[Tensor, " n"]

    @classmethod
    def of(cls, codes: UInt8[np.ndarray, "n L"], weights: Float[np.ndarray, " n"]) -> Observed:
        residues = torch.from_numpy(one_hot(codes, RESIDUES))
        return cls(residues, torch.from_numpy(codes.astype(np.int64)), torch.from_numpy(weights).float())

    def rows(self, chosen: Tensor) -> Observed:
        return Observed(self.residues[chosen], self.codes[chosen], self.weight[chosen])

    @property
    def effective_depth(self) -> float:
        return float(self.weight.sum())


def pairwise_logits(
    residues: Float[Tensor, "n L q"], fields: Float[Tensor, "L q"], coupling: Float[Tensor, "Lq Lq"]
) -> Float[Tensor, "n L q"]:
    """h_i(a) + sum_j W_ij(a, x_j); `coupling` [(i, a), (j, b)] has no blocks i = j."""
    return fields + (residues.flatten(1) @ coupling.mT).view_as(residues)


def loss(logits: Float[Tensor, "n L q"], seen: Observed) -> Float[Tensor, ""]:
    """-sum_n w_n sum_i log p(x_ni | rest): over the residues that are there."""
    chosen = torch.nn.functional.cross_entropy(
        logits.flatten(0, 1), seen.codes.flatten(), ignore_index=GAP, reduction="none"
    )
    return (chosen.view_as(seen.codes).sum(1) * seen.weight).sum()


def column_fields(seen: Observed, pseudocount: float = 1.0) -> Float[Tensor, "L q"]:
    """Log frequencies of the residues in each column, centred: what the fields are where nothing is coupled."""
    count = torch.einsum("n,nlq->lq", seen.weight, seen.residues) + pseudocount / RESIDUES
    log = (count / count.sum(1, keepdim=True)).log()
    return log - log.mean(1, keepdim=True)


def off_diagonal(length: int, states: int = RESIDUES) -> Float[Tensor, "Lq Lq"]:
    """1 between different columns, 0 within one."""
    apart = 1 - torch.eye(length)
    return apart.repeat_interleave(states, 0).repeat_interleave(states, 1)


def as_blocks(coupling: Float[Tensor, "Lq Lq"], length: int) -> Float[np.ndarray, "L q L q"]:
    """As `zoo.proteins.couplings` takes it."""
    return coupling.detach().double().view(length, RESIDUES, length, RESIDUES).numpy()
