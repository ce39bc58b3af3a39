"""Is a motif in more of these sequences than of those? Fisher's exact test, the field's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.stats import false_discovery_control, hypergeom

from zoo.domain.errors import InputError
from zoo.genomics.motifs import Sites


@dataclass(frozen=True)
class Enrichment:
    """Whether more of the positive than of the negative sequences hold a motif."""

    motif: str
    n_with_pos: int
    n_pos: int
    n_with_neg: int
    n_neg: int
    fold: float  # ratio of the fractions of sequences, with half a sequence added to each count
    pvalue: float  # one-sided Fisher exact test
    qvalue: float  # Benjamini-Hochberg over the motifs of this call


def enrichment(
    motif_names: Sequence[str], sites_pos: Sites, sites_neg: Sites, n_pos: int, n_neg: int
) -> tuple[Enrichment, ...]:
    """One-sided Fisher exact test of each motif: sequences with at least one site, positive against negative.

    A sequence counts once however many sites it has. The p-value is honest only for sequences that were not
    used to find the motif: give the test part.
    """
    if n_pos <= 0 or n_neg <= 0:
        raise InputError(f"enrichment needs positive and negative sequences, but got {n_pos} and {n_neg}.")
    with_pos = [_n_sequences(sites_pos, name) for name in motif_names]
    with_neg = [_n_sequences(sites_neg, name) for name in motif_names]
    pvalues = [fisher_greater(a, n_pos, b, n_neg) for a, b in zip(with_pos, with_neg, strict=True)]
    qvalues = false_discovery_control(pvalues) if pvalues else []
    return tuple(
        Enrichment(name, a, n_pos, b, n_neg, fold_enrichment(a, n_pos, b, n_neg), float(p), float(q))
        for name, a, b, p, q in zip(motif_names, with_pos, with_neg, pvalues, qvalues, strict=True)
    )


def fisher_greater(
    hits_pos: Int[np.ndarray, "*n"] | int, n_pos: int, hits_neg: Int[np.ndarray, "*n"] | int, n_neg: int
) -> Float[np.ndarray, "*n"]:
    """P(at least `hits_pos` of all hits fall on the positives), the margins being fixed."""
    hits_pos, hits_neg = np.asarray(hits_pos), np.asarray(hits_neg)
    return hypergeom.sf(hits_pos - 1, n_pos + n_neg, hits_pos + hits_neg, n_pos)


def fold_enrichment(hits_pos: int, n_pos: int, hits_neg: int, n_neg: int) -> float:
    """Ratio of the two fractions, half a hit added to each."""
    return float((hits_pos + 0.5) / (n_pos + 1) / ((hits_neg + 0.5) / (n_neg + 1)))


def _n_sequences(sites: Sites, name: str) -> int:
    return len(np.unique(sites.sequence[[m == name for m in sites.motif]])) if len(sites) else 0
