"""A contact map in the field's own formats."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
from jaxtyping import Float

from zoo.proteins.batch import LEAST_SEPARATION
from zoo.proteins.contacts import Native

RR_WIDTH = 50  # letters of a sequence line


def ranked_pairs(
    probability: Float[np.ndarray, "L L"], letters: str, kept: tuple[int, ...], native: Native | None = None
) -> pd.DataFrame:
    """Every pair six columns apart and more, best first: columns from 1 as in the file, residues of the query, and what
    the structure says of it, where there is one."""
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
            "probability": probability[i, j].round(5),
        }
    )
    if native is not None:
        table["distance"] = native.distance[i, j].round(2)
    return table


def casp_rr(probability: Float[np.ndarray, "L L"], letters: str, target: str) -> str:
    """CASP's residue-residue format: `i j 0 8 p`, best first, down to p = 0.01 (as in CASP 10 to 13)."""
    i, j = np.triu_indices(len(probability), LEAST_SEPARATION)
    order = np.argsort(-probability[i, j], kind="stable")
    lines = ["PFRMAT RR", f"TARGET {target}", "AUTHOR attention-zoo", "METHOD attention over the pair map", "MODEL 1"]
    lines += [letters[a : a + RR_WIDTH] for a in range(0, len(letters), RR_WIDTH)]
    lines += [f"{a + 1} {b + 1} 0 8 {probability[a, b]:.5f}" for a, b in zip(i[order], j[order], strict=True)
              if probability[a, b] >= 0.01]  # fmt: skip
    return "\n".join([*lines, "END"]) + "\n"


def read_casp_rr(text: str, length: int) -> Float[np.ndarray, "L L"]:
    """The probabilities in an RR file; 0 where it says nothing."""
    found = np.zeros((length, length))
    for line in text.splitlines():
        words = line.split()
        if len(words) == 5 and words[0].isdigit() and words[1].isdigit():
            i, j = int(words[0]) - 1, int(words[1]) - 1
            found[i, j] = found[j, i] = float(words[4])
    return found


def npy(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()
