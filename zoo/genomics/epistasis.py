"""Do two sites act together? Both are destroyed, and each alone: what is left over is their interaction.

    epistasis = f(both there) - f(first destroyed) - f(second destroyed) + f(both destroyed),  f the model's logit

It is 0 where the model adds up what each site says, positive where a site counts for more beside the other, negative
where one would do. A site is destroyed by permuting its own bases (`zoo.genomics.knockout` takes a short site's
neighbours too, which here may be the partner); the same permutations serve alone and together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float

from zoo.genomics.attribution import logits
from zoo.genomics.motifs import Sites

if TYPE_CHECKING:
    from zoo.genomics.model import PromoterDetector

REPEATS = 3  # permutations of each site, averaged
BATCH = 2048  # sequences mutated at a time


def epistasis(
    model: PromoterDetector, codes: np.ndarray, sites: Sites, pairs: pd.DataFrame, seed: int = 0
) -> Float[np.ndarray, " pairs"]:
    """The interaction of the two sites of each pair, in logits.

    codes: [N, L]; pairs: as `zoo.genomics.spacing.site_pairs` gives them. Costs `REPEATS` forward passes for each
    site and each pair.
    """
    if not len(pairs):
        return np.zeros(0)
    used, at = np.unique(np.concatenate([pairs.site_a, pairs.site_b]).astype(int), return_inverse=True)
    first, second = at[: len(pairs)], at[len(pairs) :]
    rows = np.unique(sites.sequence[used], return_inverse=True)
    whole = logits(model, torch.from_numpy(codes[rows[0]])).numpy()[rows[1]]  # of each used site's sequence
    rng = np.random.default_rng(seed)
    found = np.zeros(len(pairs))
    for _ in range(REPEATS):
        permuted = [rng.permutation(codes[sites.sequence[s], sites.start[s] : sites.end[s]]) for s in used]
        alone = _logits_without(model, codes, sites, used, permuted, [(i,) for i in range(len(used))])
        both = _logits_without(model, codes, sites, used, permuted, list(zip(first, second, strict=True)))
        found += whole[first] - alone[first] - alone[second] + both
    return found / REPEATS


def _logits_without(
    model: PromoterDetector,
    codes: np.ndarray,
    sites: Sites,
    used: np.ndarray,
    permuted: list[np.ndarray],
    destroyed: list[tuple[int, ...]],
) -> Float[np.ndarray, " n"]:
    """Logits of the sequences in which the given sites (indices into `used`) hold their permuted bases."""
    parts = []
    for at in range(0, len(destroyed), BATCH):
        chunk = destroyed[at : at + BATCH]
        mutants = codes[[sites.sequence[used[who[0]]] for who in chunk]].copy()
        for mutant, who in zip(mutants, chunk, strict=True):
            for i in who:
                mutant[sites.start[used[i]] : sites.end[used[i]]] = permuted[i]
        parts.append(logits(model, torch.from_numpy(mutants)).numpy())
    return np.concatenate(parts)
