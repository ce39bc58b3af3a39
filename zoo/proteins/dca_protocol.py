"""The other protocol, of direct coupling analysis: a contact is a pair whose closest atoms are nearer than 8 A.

Nearly every pair that touches by C-betas does so by atoms too, but by far not the other way round: numbers of the two
protocols must never stand in one table (Caredda & Pagnani 2025 score like this; so did Morcos et al. 2011).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Float

from zoo.domain.errors import InputError
from zoo.proteins.reading import read_text

TOUCH = 8.0  # Angstrom, between the closest atoms
LEAST_SEPARATION = 6  # columns


def read_distances(path: str | Path, length: int) -> Float[np.ndarray, "L L"]:
    """A distance table in the numbering of the alignment: i, j (from 1), any more columns, and last the distance.

    Pairs that the table lacks are NaN: unknown, not apart. Raises InputError where it is no such table.
    """
    table = np.full((length, length), np.nan)
    for number, line in enumerate(read_text(path).splitlines(), 1):
        words = line.replace(",", " ").split()
        if not words or words[0].startswith("#"):
            continue
        try:
            i, j, distance = float(words[0]), float(words[1]), float(words[-1])
        except (ValueError, IndexError) as error:
            raise InputError(f"{path}, line {number}: expected two columns' numbers and a distance") from error
        if len(words) < 3 or i != int(i) or j != int(j) or not (1 <= i <= length and 1 <= j <= length):
            raise InputError(
                f"{path}, line {number}: '{' '.join(words[:3])}' is no pair of the {length} columns and its distance"
            )
        table[int(i) - 1, int(j) - 1] = table[int(j) - 1, int(i) - 1] = distance
    if np.isnan(table).all():
        raise InputError(f"{path} holds no distances")
    return table


def ppv_curve(score: Float[np.ndarray, "L L"], distance: Float[np.ndarray, "L L"]) -> Float[np.ndarray, " pairs"]:
    """Positive predictive value of the best 1, 2, 3, ... pairs at least six columns apart whose distance is known."""
    i, j = np.triu_indices(len(distance), LEAST_SEPARATION)
    known = ~np.isnan(distance[i, j])
    i, j = i[known], j[known]
    order = np.argsort(-np.asarray(score)[i, j], kind="stable")
    hits = distance[i, j][order] < TOUCH
    return np.cumsum(hits) / np.arange(1, len(hits) + 1)
