"""Who touches whom: C-beta closer than 8 A, as CASP counts (C-alpha for glycine); unresolved pairs are unknown.

Axes: n residues of a chain, L columns of an alignment.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.spatial.distance import cdist

from zoo.domain.errors import InputError
from zoo.proteins.structure import Chain

TOUCH = 8.0  # Angstrom


@dataclass(frozen=True, eq=False)
class Native:
    """The truth about each pair of columns.

    distance: of the C-betas in Angstrom, NaN where either is unresolved or outside the structure.
    place: which residue of the chain stands in each column, -1 for none. Separation is counted in residues.
    beta: where the C-betas are, NaN likewise; None where distances alone are known.
    """

    name: str
    distance: Float[np.ndarray, "L L"]
    place: Int[np.ndarray, " L"]
    beta: Float[np.ndarray, "L 3"] | None = None

    @cached_property
    def known(self) -> Bool[np.ndarray, "L L"]:
        return ~np.isnan(self.distance)

    @cached_property
    def contact(self) -> Bool[np.ndarray, "L L"]:
        return self.known & (self.distance < TOUCH)

    @cached_property
    def separation(self) -> Int[np.ndarray, "L L"]:
        """|i - j| along the chain, in residues; 0 where a column has none."""
        apart = np.abs(self.place[:, None] - self.place[None, :])
        return np.where((self.place[:, None] >= 0) & (self.place[None, :] >= 0), apart, 0)

    @property
    def num_resolved(self) -> int:
        """L of P@L: columns whose residue was seen."""
        return int(self.known.any(1).sum())


def distances(chain: Chain) -> Float[np.ndarray, "n n"]:
    """Between C-betas, in Angstrom; NaN where either is unresolved."""
    return cdist(chain.beta, chain.beta)


def native(chain: Chain, place: Int[np.ndarray, " L"] | None = None) -> Native:
    """The chain's distances in the frame of an alignment; without `place`, in its own."""
    place = np.arange(len(chain)) if place is None else np.asarray(place)
    between = distances(chain)[np.ix_(place, place)]
    nowhere = place < 0
    beta = np.where(nowhere[:, None], np.nan, chain.beta[place])
    between[nowhere] = np.nan
    between[:, nowhere] = np.nan
    if np.isnan(between).all():
        raise InputError(f"none of the columns stands for a resolved residue of {chain.name}: give another structure")
    return Native(chain.name, between, place, beta)
