"""The query, the first sequence of an alignment: its letters under the columns, and its own numbering."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int

from zoo.proteins.alignment import Alignment
from zoo.proteins.alphabet import GAP, LETTERS, decode


def query_letters(alignment: Alignment) -> str:
    """The query's residue in each column; where it has none, the most frequent one of the column, in lower case."""
    letters = []
    for column in alignment.codes.T:
        code = column[0]
        if code == GAP:
            present = column[column != GAP]
            code = np.bincount(present).argmax() if len(present) else GAP
            letters.append(LETTERS[code].lower())
        else:
            letters.append(LETTERS[code])
    return "".join(letters)


def query_residues(alignment: Alignment) -> tuple[str, Int[np.ndarray, " L"]]:
    """The query's own sequence, X and all, and the number of its residue in each column: from 1, 0 where it has none.

    Residues that the file gives no column (insertions, in a query that has some) are not counted."""
    letters = alignment.query or decode(alignment.codes[0])
    columns = list(alignment.kept) if alignment.query else list(range(alignment.length))
    there = np.array([letter not in "-.*" for letter in letters])
    return "".join(np.array(list(letters))[there]), (np.cumsum(there) * there)[columns]
