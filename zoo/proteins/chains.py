"""Single chains with coordinates: the training chains of cgdms (Greener & Jones 2021).

A file has the sequence, a line of predicted secondary structure, and for each residue x, y, z of N, CA, C and of the
side chain's centroid. There is no C-beta: it is placed from the backbone.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from zoo.domain.errors import InputError
from zoo.proteins.alignment import Alignment
from zoo.proteins.alphabet import RESIDUES, encode
from zoo.proteins.batch import Example
from zoo.proteins.contacts import native
from zoo.proteins.reading import read_text
from zoo.proteins.structure import Chain, virtual_beta

NUMBERS = 12  # of each residue


def read_chain_examples(folder: Path) -> Iterator[Example]:
    """Every chain of the folder, by name, each an alignment of one sequence with its contacts."""
    for path in sorted((folder / "chains").glob("*.txt")):
        chain = read_cgdms(path)
        codes = encode(chain.sequence)
        yield Example(path.stem, Alignment.of((path.stem,), codes[None]), native(chain))


def read_cgdms(path: Path) -> Chain:
    """Raises InputError where lines lack, or a letter is no residue."""
    sequence, _, *lines = read_text(path).split("\n")
    sequence = sequence.strip()
    rows = [line.split() for line in lines if line.strip()]
    if len(rows) != len(sequence) or any(len(row) != NUMBERS for row in rows):
        raise InputError(
            f"{path}: {len(sequence)} residues and {len(rows)} lines of coordinates; expected a line of {NUMBERS} "
            "numbers for each residue"
        )
    if (encode(sequence) >= RESIDUES).any():
        raise InputError(f"{path}: '{sequence}' holds a letter that is none of the twenty residues")
    atoms = np.array(rows, dtype=float).reshape(-1, 4, 3)
    beta = virtual_beta(atoms[:, :3])
    glycine = np.array([letter == "G" for letter in sequence])
    beta[glycine] = atoms[glycine, 1]
    return Chain(path.stem, sequence, tuple(str(i + 1) for i in range(len(sequence))), beta)
