"""Families as a person has them: an alignment, and a structure of its name beside it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from Bio.Data.IUPACData import protein_letters_1to3 as NAME

from zoo.proteins.alphabet import decode
from zoo.proteins.batch import Example
from zoo.proteins.planted import sheet

ORDER, STRAND = (0, 2, 1), 9  # of the sheet that the structure is of


def written(folder: Path, family: Example, structure: bool, stem: str = "mine") -> Path:
    path = folder / f"{stem}.a3m"
    rows = zip(family.alignment.names, family.alignment.codes, strict=True)
    path.write_text("".join(f">{name}\n{decode(codes)}\n" for name, codes in rows))
    if structure:
        places = sheet(ORDER, STRAND, 3)
        lines = []
        for i, (code, (x, y, z)) in enumerate(zip(family.alignment.codes[0], places, strict=True)):
            residue = NAME[decode(np.array([code]))].upper()
            lines += [
                f"ATOM  {i + 1:5d}  {atom}  {residue} A{i + 1:4d}    {x:8.3f}{y:8.3f}{z:8.3f}  1.00 10.00           C"
                for atom in ("CA", "CB")
            ]
        (folder / f"{stem}.pdb").write_text("\n".join(lines) + "\nEND\n")
    return path
