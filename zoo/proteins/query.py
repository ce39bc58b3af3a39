"""The letters under an alignment's columns."""

from __future__ import annotations

import numpy as np

from zoo.proteins.alignment import Alignment
from zoo.proteins.alphabet import GAP, LETTERS


def query_letters(alignment: Alignment) -> str:
    """The first sequence's residue in each column; where it has a gap, the most frequent one of the column."""
    letters = []
    for column in alignment.codes.T:
        code = column[0]
        if code == GAP:
            present = column[column != GAP]
            code = np.bincount(present).argmax() if len(present) else GAP
        letters.append(LETTERS[code])
    return "".join(letters)
