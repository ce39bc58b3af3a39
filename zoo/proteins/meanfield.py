"""Two maps that need no training: mutual information, and mean-field direct coupling analysis."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from zoo.proteins.couplings import apc, contact_scores
from zoo.proteins.frequencies import Frequencies

MI_PSEUDOCOUNT = 0.05
MEANFIELD_PSEUDOCOUNT = 0.5  # Morcos et al. 2011: as much as the data


def mutual_information(counted: Frequencies, pseudocount: float = MI_PSEUDOCOUNT) -> Float[np.ndarray, "L L"]:
    """MI_ij = sum_ab f_ij(a,b) log(f_ij(a,b) / f_i(a) f_j(b)), in nats; 0 on the diagonal."""
    f = counted.with_pseudocount(pseudocount)
    length, states = f.single.shape
    flat = f.single.reshape(-1)
    pair = f.pair.reshape(length * states, length * states)
    terms = pair * np.log(np.maximum(pair, 1e-300) / np.outer(flat, flat))
    information = terms.reshape(length, states, length, states).sum((1, 3))
    np.fill_diagonal(information, 0.0)
    return information


def information_scores(counted: Frequencies, pseudocount: float = MI_PSEUDOCOUNT) -> Float[np.ndarray, "L L"]:
    """Mutual information with APC (Dunn, Wahl & Gloor 2008)."""
    return apc(mutual_information(counted, pseudocount))


def meanfield_couplings(
    counted: Frequencies, pseudocount: float = MEANFIELD_PSEUDOCOUNT
) -> Float[np.ndarray, "L q L q"]:
    """e_ij(a,b) = -(C^-1)_ij(a,b), C the covariance of the first q - 1 states (Morcos et al. 2011, eq. 9); the last
    state, the gap, is where the gauge has zeros."""
    f = counted.with_pseudocount(pseudocount)
    length, states = f.single.shape
    flat = f.single[:, :-1].reshape(-1)
    covariance = f.pair[:, :-1, :, :-1].reshape(len(flat), len(flat)) - np.outer(flat, flat)
    coupling = np.zeros((length, states, length, states))
    inverse = np.linalg.inv(covariance).reshape(length, states - 1, length, states - 1)
    coupling[:, :-1, :, :-1] = -inverse
    for i in range(length):
        coupling[i, :, i, :] = 0.0
    return coupling


def meanfield_scores(counted: Frequencies, pseudocount: float = MEANFIELD_PSEUDOCOUNT) -> Float[np.ndarray, "L L"]:
    """Strength of the mean-field couplings with APC."""
    return contact_scores(meanfield_couplings(counted, pseudocount))
