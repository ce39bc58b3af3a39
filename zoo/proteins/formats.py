"""A contact map in the field's own formats."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from zoo.proteins.batch import LEAST_SEPARATION
from zoo.proteins.contacts import Native

RR_WIDTH = 50  # letters of a sequence line


def ranked_pairs(
    probability: Float[np.ndarray, "L L"], letters: str, kept: tuple[int, ...], native: Native | None = None
) -> pd.DataFrame:
    """Every pair six columns apart and more, best first: i and j are columns of the alignment as read (match columns;
    insertions are none) from 1, whatever was left out between; `query_letters`; and what the structure says of the
    pair, where there is one."""
    i, j = np.triu_indices(len(probability), LEAST_SEPARATION)
    order = np.argsort(-probability[i, j], kind="stable")
    i, j = i[order], j[order]
    number = np.array(kept) + 1
    table = pd.DataFrame(
        {
            "i": number[i],
            "j": number[j],
            "residue_i": [letters[a] for a in i],
            "residue_j": [letters[b] for b in j],
            "probability": probability[i, j].astype(float).round(6),
        }
    )
    if native is not None:
        table["distance"] = native.distance[i, j].round(2)
    return table


def casp_rr(probability: Float[np.ndarray, "L L"], sequence: str, residue: Int[np.ndarray, " L"], target: str) -> str:
    """CASP's residue-residue format: `i j 0 8 p`, best first, down to p = 0.01 (as in CASP 10 to 13).

    residue: the number in `sequence`, from 1, of each column's residue; columns with 0 have none and are left out."""
    i, j = np.triu_indices(len(probability), 1)
    there = (residue[i] > 0) & (residue[j] - residue[i] >= LEAST_SEPARATION)
    i, j = i[there], j[there]
    order = np.argsort(-probability[i, j], kind="stable")
    lines = ["PFRMAT RR", f"TARGET {target}", "AUTHOR attention-zoo", "METHOD attention over the pair map", "MODEL 1"]
    lines += [sequence[a : a + RR_WIDTH] for a in range(0, len(sequence), RR_WIDTH)]
    lines += [f"{residue[a]} {residue[b]} 0 8 {probability[a, b]:.5f}" for a, b in zip(i[order], j[order], strict=True)
              if probability[a, b] >= 0.01]  # fmt: skip
    return "\n".join([*lines, "END"]) + "\n"


def npy(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()
