"""Protein chains from PDB and mmCIF files: every residue of the chain, and where its atoms are, if anybody saw them.

Axes: n residues of the chain, in order, unresolved ones included; coordinates in Angstrom, NaN where unknown.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from Bio.PDB.MMCIFParser import MMCIFParser
from Bio.PDB.PDBExceptions import PDBConstructionException
from Bio.PDB.PDBParser import PDBParser
from Bio.PDB.Residue import Residue
from jaxtyping import Bool, Float

from zoo.domain.errors import InputError
from zoo.proteins.reading import read_text
from zoo.proteins.unseen import UNKNOWN, Header, headers, listed_mmcif, listed_pdb, one_letter

LEAST_PLACED = 0.5  # of a chain's residues with atoms; else it is of C-alphas, and its glycines alone would count
BOND = 2.0  # Angstrom; farther apart, C of a residue and N of the next are not joined (a peptide bond has 1.33)
BACKBONE = ("N", "CA", "C")


@dataclass(frozen=True, eq=False)
class Chain:
    """sequence: one letter a residue. numbers: the author's, with insertion code; "" of a residue nobody saw.

    beta: C-beta; C-alpha of glycine; placed from the backbone where the atom lacks.
    """

    name: str
    sequence: str
    numbers: tuple[str, ...]
    beta: Float[np.ndarray, "n 3"]

    def __len__(self) -> int:
        return len(self.sequence)

    @property
    def resolved(self) -> Bool[np.ndarray, " n"]:
        """Whose C-beta is known."""
        return ~np.isnan(self.beta).any(1)


def read_chain(path: str | Path, chain: str | None = None) -> Chain:
    """A chain by the author's name, or the only one; of the first model, atoms at their highest occupancy.

    Unresolved residues come from the file's own sequence (mmCIF's `pdbx_poly_seq_scheme`, PDB's REMARK 465 in the order
    of SEQRES), else from breaks in the chain where the numbering jumps. Raises InputError where the file or the chain
    cannot be used.
    """
    chains = read_chains(path)
    if chain is None:
        if len({c.sequence for c in chains.values()}) > 1:
            raise InputError(f"{path} has the chains {_named(chains)}: say which one")
        return next(iter(chains.values()))
    if chain not in chains:
        raise InputError(f"{path} has no protein chain {chain.strip() or 'without a name'}: there is {_named(chains)}")
    return chains[chain]


def read_chains(path: str | Path) -> dict[str, Chain]:
    """Every protein chain of the first model with at least one resolved residue, by the author's name."""
    text = read_text(path)
    is_cif = any(line.startswith(("data_", "loop_", "_")) for line in text[:4000].splitlines())
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Biopython reports what it mends
            parser = MMCIFParser(QUIET=True) if is_cif else PDBParser(QUIET=True)
            model = next(iter(parser.get_structure("", io.StringIO(text))))
    except (ValueError, KeyError, IndexError, StopIteration, PDBConstructionException) as error:
        raise InputError(f"{path} is no readable structure: give a PDB or mmCIF file with atoms") from error
    listed_cif, heads = (listed_mmcif(text), {}) if is_cif else ({}, headers(text, path))
    found, without = {}, []
    for part in model:
        residues = _without_ligands([r for r in part if _is_protein(r)])
        if not residues:
            continue
        listed = listed_cif.get(part.id) if is_cif else listed_pdb(residues, heads.get(part.id, Header()))
        stem = Path(path).name.split(".")[0]
        chain = _chain(f"{stem}_{part.id}" if part.id.strip() else stem, residues, listed)
        placed = int(chain.resolved.sum())
        if placed < LEAST_PLACED * len(residues):
            without.append(f"{placed} of {len(residues)} residues of {chain.name}")
        else:
            found[part.id] = chain
    if not found:
        counted = f" ({', '.join(without)} have)" if without else ""
        raise InputError(
            f"{path} holds no protein chain with C-betas, or the N, CA and C to place them{counted}: contacts are of "
            "C-betas, give a structure with all backbone atoms"
        )
    return found


def _named(chains: Iterable[str]) -> str:
    return ", ".join(name.strip() or "one without a name" for name in chains)


def virtual_beta(backbone: Float[np.ndarray, "n 3 3"]) -> Float[np.ndarray, "n 3"]:
    """C-beta from N, CA and C at ideal geometry.

    b = CA - N, c = C - CA, a = b x c;  CB = CA - 0.58273431 a + 0.56802827 b - 0.54067466 c
    (the constants of trRosetta and ProteinMPNN; 0.11 A from the atom, root mean square)
    """
    n, ca, c = backbone[:, 0], backbone[:, 1], backbone[:, 2]
    first, second = ca - n, c - ca
    return ca - 0.58273431 * np.cross(first, second) + 0.56802827 * first - 0.54067466 * second


Placed = tuple[str, str, Residue | None]  # number, letter, atoms


def _is_protein(residue: Residue) -> bool:
    """Residues of the twenty and modified ones (MSE, SEP, ...); no water, no ligand."""
    return one_letter(residue.get_resname()) != UNKNOWN and "CA" in residue and residue["CA"].element != "CA"


def _without_ligands(residues: list[Residue]) -> list[Residue]:
    """Less the amino acids at the end that are HETATM and bound to no residue before them: ligands, not the chain."""
    while len(residues) > 1 and residues[-1].id[0] != " " and not _joined(residues[-2], residues[-1]):
        residues = residues[:-1]
    return residues


def _number(residue: Residue) -> str:
    return f"{residue.id[1]}{residue.id[2].strip()}"


def _chain(name: str, residues: list[Residue], unseen: list[tuple[str, str]] | None) -> Chain:
    """unseen: (number, letter) of each residue of the chain, seen or not, where the file says so."""
    seen = {_number(r): r for r in residues}
    places = [(number, letter, seen.get(number)) for number, letter in unseen] if unseen else _with_breaks(residues)
    backbone = np.stack([_atoms(r, BACKBONE) for _, _, r in places])
    beta = np.concatenate([_atoms(r, ("CB",)) for _, _, r in places])
    glycine = np.array([letter == "G" for _, letter, _ in places])
    beta = np.where(np.isnan(beta), virtual_beta(backbone), beta)
    beta = np.where(glycine[:, None], backbone[:, 1], beta)
    sequence = "".join(letter for _, letter, _ in places)
    return Chain(name, sequence, tuple("" if r is None else number for number, _, r in places), beta)


def _atoms(residue: Residue | None, names: tuple[str, ...]) -> Float[np.ndarray, "atoms 3"]:
    nowhere = np.full(3, np.nan)
    if residue is None:
        return np.stack([nowhere for _ in names])
    return np.stack([residue[name].coord.astype(float) if name in residue else nowhere for name in names])


def _with_breaks(residues: list[Residue]) -> list[Placed]:
    """Where numbers jump and no bond joins the two, the residues between were not seen."""
    places: list[Placed] = []
    for before, residue in zip([None, *residues], residues, strict=False):
        if before is not None and (jump := residue.id[1] - before.id[1]) > 1 and not _joined(before, residue):
            places += [("", UNKNOWN, None)] * (jump - 1)
        places.append((_number(residue), one_letter(residue.get_resname()), residue))
    return places


def _joined(before: Residue, residue: Residue) -> bool:
    return "C" in before and "N" in residue and before["C"] - residue["N"] < BOND
