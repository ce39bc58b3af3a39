"""From couplings to a map of scores. Axes: L columns, q states (20 residues, and the gap where a method keeps it)."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from zoo.proteins.alphabet import RESIDUES


def apc(score: Float[np.ndarray, "L L"]) -> Float[np.ndarray, "L L"]:
    """Average product correction: s_ij - s_i. s_.j / s_.. (Dunn, Wahl & Gloor 2008), the diagonal left out.

    What a column gives to all others alike comes from its entropy and the family's tree, not from contacts.
    """
    score = np.array(score, dtype=float)
    np.fill_diagonal(score, 0.0)
    others = len(score) - 1
    mean = score.sum(1) / others
    whole = mean.mean()
    corrected = score - (np.outer(mean, mean) / whole if whole else 0.0)
    np.fill_diagonal(corrected, 0.0)
    return corrected


def zero_sum(coupling: Float[np.ndarray, "L q L q"]) -> Float[np.ndarray, "L q L q"]:
    """The gauge of least norm: rows and columns of each q x q block sum to zero. Probabilities do not change."""
    coupling = coupling - coupling.mean(1, keepdims=True)
    return coupling - coupling.mean(3, keepdims=True)


def strength(coupling: Float[np.ndarray, "L q L q"]) -> Float[np.ndarray, "L L"]:
    """Frobenius norm of each block between residues, in the zero-sum gauge (Ekeberg et al. 2013, eq. 25).

    Gaps come in long runs and couple to each other for no structural reason: their row and column are left out.
    Blocks i, j and j, i are averaged first, as methods that fit each column on its own give two.
    """
    coupling = (coupling + coupling.transpose(2, 3, 0, 1)) / 2
    residues = zero_sum(coupling)[:, :RESIDUES, :, :RESIDUES]
    norm = np.sqrt(np.einsum("iajb,iajb->ij", residues, residues))
    np.fill_diagonal(norm, 0.0)
    return norm


def contact_scores(coupling: Float[np.ndarray, "L q L q"]) -> Float[np.ndarray, "L L"]:
    """Strength with APC: what is ranked."""
    return apc(strength(coupling))
