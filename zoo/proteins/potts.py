"""The Potts model of a family by pseudo-likelihood: GREMLIN (Kamisetty et al. 2013) and CCMpred (Seemayer et al. 2014).

    minimise  -sum_n w_n sum_i log p(x_ni | rest) + lambda_h |h - h*|^2 + lambda_J sum_{i<j} |J_ij|^2

lambda_h = 10, lambda_J = 0.2 (L - 1), h* the columns' log frequencies: CCMpredPy's. Convex; minimised by L-BFGS.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, UInt8
from scipy.optimize import minimize
from torch import Tensor

from zoo.domain.errors import InputError
from zoo.proteins.pseudolikelihood import Observed, as_blocks, column_fields, loss, off_diagonal, pairwise_logits

LONGEST = 500  # columns; couplings of more take gigabytes
BLOCK = 2048  # sequences at once


@dataclass(frozen=True)
class PottsSettings:
    """pair: lambda_J per column. fields: lambda_h. iterations: of L-BFGS, at most. tolerance: it stops where the
    objective falls by less than this share in an iteration. Few are enough: on CCMgen's 1atzA
    the map after 11 has r = .978 with CCMpredPy's, which stopped there too, and .952 at convergence."""

    pair: float = 0.2
    fields: float = 10.0
    iterations: int = 30
    tolerance: float = 1e-5


def check_length(length: int) -> None:
    """Raises InputError where an alignment is too long for couplings between all its columns."""
    if length > LONGEST:
        raise InputError(
            f"the alignment has {length:,} columns, the limit is {LONGEST}: cut it into domains, or leave out columns "
            "where the query has a gap"
        )


@torch.inference_mode(False)  # whoever asks may be predicting
@torch.enable_grad()
def potts_couplings(
    codes: UInt8[np.ndarray, "N L"], weights: Float[np.ndarray, " N"], settings: PottsSettings | None = None
) -> Float[np.ndarray, "L q L q"]:
    """J_ij(a, b), symmetric, of the 20 residues."""
    length = codes.shape[1]
    check_length(length)
    objective = _Objective(Observed.of(codes, weights), settings or PottsSettings())
    options = {"maxcor": 5, "maxiter": objective.settings.iterations, "ftol": objective.settings.tolerance}
    found = minimize(objective, objective.start(), jac=True, method="L-BFGS-B", options=options)
    return as_blocks(objective.unpacked(found.x)[1], length)


class _Objective:
    """Value and gradient in the fields and the couplings i < j, one long vector in float64; sums run in float32 over
    blocks of sequences."""

    def __init__(self, seen: Observed, settings: PottsSettings):
        self.seen, self.settings = seen, settings
        self.length = seen.codes.shape[1]
        self.prior = column_fields(seen)
        self.above = off_diagonal(self.length).triu().flatten().nonzero().squeeze(1)
        self.penalty = settings.pair * (self.length - 1)

    def start(self) -> np.ndarray:
        return np.concatenate([self.prior.double().flatten().numpy(), np.zeros(len(self.above))])

    def unpacked(self, vector: np.ndarray) -> tuple[Tensor, Tensor]:
        """Fields [L, q] and the whole symmetric matrix [Lq, Lq]."""
        numbers = torch.from_numpy(vector).float()
        fields, upper = numbers.split([self.prior.numel(), len(self.above)])
        matrix = torch.zeros(self.prior.numel() ** 2)
        matrix[self.above] = upper
        matrix = matrix.view(self.prior.numel(), -1)
        return fields.view_as(self.prior), matrix + matrix.mT

    def __call__(self, vector: np.ndarray) -> tuple[float, np.ndarray]:
        fields, coupling = (part.requires_grad_() for part in self.unpacked(vector))
        value = 0.0
        for block in torch.arange(len(self.seen.codes)).split(BLOCK):
            part = loss(pairwise_logits(self.seen.residues[block], fields, coupling), self.seen.rows(block))
            part.backward()
            value += part.item()
        with torch.no_grad():
            both = (coupling.grad + coupling.grad.mT).flatten()[self.above].double().numpy()
            pull = (fields - self.prior).double().flatten().numpy()
        pair = vector[self.prior.numel() :]
        value += self.settings.fields * (pull**2).sum() + self.penalty * (pair**2).sum()
        for_fields = fields.grad.double().flatten().numpy() + 2 * self.settings.fields * pull
        return value, np.concatenate([for_fields, both + 2 * self.penalty * pair])
