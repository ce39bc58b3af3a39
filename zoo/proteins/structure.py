"""Protein chains from PDB and mmCIF files: every residue of the chain, and where its atoms are, if anybody saw them.

Axes: n residues of the chain, in order, unresolved ones included; coordinates in Angstrom, NaN where unknown.
"""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from Bio.Data.PDBData import protein_letters_3to1_extended as ONE_LETTER
from Bio.PDB.MMCIF2Dict import MMCIF2Dict
from Bio.PDB.MMCIFParser import MMCIFParser
from Bio.PDB.PDBExceptions import PDBConstructionException
from Bio.PDB.PDBParser import PDBParser
from Bio.PDB.Residue import Residue
from jaxtyping import Bool, Float

from zoo.domain.errors import InputError
from zoo.proteins.reading import read_text

UNKNOWN = "X"
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

    Unresolved residues come from the file's own sequence (mmCIF's `pdbx_poly_seq_scheme`, PDB's REMARK 465), else from
    breaks in the chain where the numbering jumps. Raises InputError where the file or the chain cannot be used.
    """
    chains = read_chains(path)
    if chain is None:
        if len({c.sequence for c in chains.values()}) > 1:
            raise InputError(f"{path} has the chains {', '.join(chains)}: say which one")
        return next(iter(chains.values()))
    if chain not in chains:
        raise InputError(f"{path} has no protein chain {chain}: there is {', '.join(chains)}")
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
    unseen = _unseen_mmcif(text) if is_cif else _unseen_pdb(text)
    found = {}
    for part in model:
        residues = [r for r in part if _is_protein(r)]
        if residues:
            name = f"{Path(path).name.split('.')[0]}_{part.id}"
            found[part.id] = _chain(name, residues, unseen.get(part.id))
    found = {name: chain for name, chain in found.items() if chain.resolved.any()}
    if not found:
        raise InputError(f"{path} holds no protein chain with a C-beta, or the N, CA and C to place one")
    return found


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
    return _letter(residue.get_resname()) != UNKNOWN and "CA" in residue and residue["CA"].element != "CA"


def _letter(name: str) -> str:
    return ONE_LETTER.get(name.strip().ljust(3), ONE_LETTER.get(name.strip(), UNKNOWN))


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
        places.append((_number(residue), _letter(residue.get_resname()), residue))
    return places


def _joined(before: Residue, residue: Residue) -> bool:
    return "C" in before and "N" in residue and before["C"] - residue["N"] < BOND


def _unseen_mmcif(text: str) -> dict[str, list[tuple[str, str]]]:
    """Of each chain, by the author's name: number and letter of all its residues.

    An unseen residue has a number too (`pdb_seq_num`), by which it stays in its place.
    """
    table = MMCIF2Dict(io.StringIO(text))
    key = "_pdbx_poly_seq_scheme."
    columns = [table.get(key + c) for c in ("pdb_strand_id", "pdb_seq_num", "pdb_ins_code", "mon_id", "seq_id")]
    if any(column is None for column in columns):
        return {}
    chains: dict[str, dict[str, tuple[str, str]]] = {}
    for chain, number, insertion, residue, place in zip(*columns, strict=True):
        insertion = "" if insertion in (".", "?") else insertion
        # where two residues share a place (heterogeneity), the first named is kept
        chains.setdefault(chain, {}).setdefault(place, (f"{number}{insertion}", _letter(residue)))
    return {chain: list(residues.values()) for chain, residues in chains.items()}


def _unseen_pdb(text: str) -> dict[str, list[tuple[str, str]]]:
    """Of chains with unseen residues by REMARK 465: number and letter of all residues, in order of their numbers."""
    unseen: dict[str, list[tuple[int, str, str]]] = {}
    seen: dict[str, dict[tuple[int, str], str]] = {}
    listing = False
    for line in text.splitlines():
        if line.startswith("REMARK 465"):
            words = line[10:].split()
            if words[-3:] == ["C", "SSSEQI"] or words[-1:] == ["SSSEQI"]:
                listing = True
            elif listing and len(words) >= 3:
                letter, chain, number = _letter(words[-3]), words[-2], words[-1]
                digits = number.rstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
                unseen.setdefault(chain, []).append((int(digits), number[len(digits) :], letter))
        elif line.startswith(("ATOM  ", "HETATM")) and line[12:16].strip() == "CA":
            if (letter := _letter(line[17:20])) != UNKNOWN:
                seen.setdefault(line[21], {})[(int(line[22:26]), line[26].strip())] = letter
        elif line.startswith("ENDMDL"):
            break
    merged = {}
    for chain, missing in unseen.items():
        every = {(n, i): letter for n, i, letter in missing} | seen.get(chain, {})
        if len(every) == len(missing) + len(seen.get(chain, {})):
            merged[chain] = [(f"{n}{i}", letter) for (n, i), letter in sorted(every.items())]
    return merged
