"""Every residue of a chain, seen or not, as PDB and mmCIF files list them: number, insertion code and all."""

from __future__ import annotations

import heapq
import io
import itertools
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from Bio.Data.PDBData import protein_letters_3to1_extended as ONE_LETTER
from Bio.PDB.MMCIF2Dict import MMCIF2Dict
from Bio.PDB.Residue import Residue

from zoo.domain.errors import InputError

UNKNOWN = "X"
RARE = {"SEC": "C", "PYL": "K"}  # as in alignments


def one_letter(name: str) -> str:
    """Of the twenty; a modified residue (MSE, SEP, ...) has its parent's, X if it has none."""
    name = name.strip()
    return RARE.get(name) or ONE_LETTER.get(name.ljust(3), ONE_LETTER.get(name, UNKNOWN))


def listed_mmcif(text: str) -> dict[str, list[tuple[str, str]]]:
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
        chains.setdefault(chain, {}).setdefault(place, (f"{number}{insertion}", one_letter(residue)))
    return {chain: list(residues.values()) for chain, residues in chains.items()}


Missing = tuple[int, str, str]  # number, insertion code, letter


@dataclass(frozen=True)
class Header:
    """What a PDB file says of a chain before its atoms. missing: residues nobody saw (REMARK 465), in their order.
    sequence: of the whole chain (SEQRES), "" where it lacks."""

    missing: tuple[Missing, ...] = ()
    sequence: str = ""


def headers(text: str, path: str | Path) -> dict[str, Header]:
    """Of each chain. Raises InputError where a residue of REMARK 465 has no readable number."""
    missing: dict[str, list[Missing]] = {}
    sequence: dict[str, str] = {}
    listing = False
    for line in text.splitlines():
        if line.startswith("REMARK 465"):
            words = line[10:].split()
            if words[-1:] == ["SSSEQI"]:
                listing = True
            elif listing and len(words) >= 3:
                number = re.fullmatch(r"(-?\d+)([A-Za-z]?)", words[-1])
                if number is None:
                    raise InputError(f"{path}: '{' '.join(words)}' in REMARK 465 is no residue, chain and number")
                missing.setdefault(words[-2], []).append((int(number[1]), number[2], one_letter(words[-3])))
        elif line.startswith("SEQRES"):
            sequence[line[11:12]] = sequence.get(line[11:12], "") + "".join(one_letter(w) for w in line[19:].split())
        elif line.startswith(("ATOM  ", "HETATM")):
            break
    chains = missing.keys() | sequence.keys()
    return {c: Header(tuple(missing.get(c, ())), sequence.get(c, "")) for c in chains}


def listed_pdb(residues: list[Residue], header: Header) -> list[tuple[str, str]] | None:
    """Number and letter of all residues of the chain, seen or not; None where the file lists none unseen.

    Each of the two lists, as the file has it, is in order; they are merged so that SEQRES is spelled, where it can be,
    else by number. Insertion codes may run down (1B, 1A, 1, as in thrombin) and then do so in both.
    """
    seen = [(r.id[1], r.id[2].strip(), one_letter(r.get_resname())) for r in residues]
    missing = list(header.missing)
    if not missing or {(n, i) for n, i, _ in seen} & {(n, i) for n, i, _ in missing}:
        return None
    down = {n for part in (seen, missing) for (n, i, _), (m, j, _) in itertools.pairwise(part) if n == m and i > j}

    def key(one: Missing) -> tuple[int, int]:
        number, insertion, _ = one
        code = ord(insertion) if insertion else 0
        return number, -code if number in down else code

    merged = _spelling(seen, missing, header.sequence, key) or list(heapq.merge(seen, missing, key=key))
    return [(f"{number}{insertion}", letter) for number, insertion, letter in merged]


def _spelling(
    first: list[Missing], second: list[Missing], sequence: str, key: Callable[[Missing], tuple[int, int]]
) -> list[Missing] | None:
    """The two lists as one that spells the sequence, by `key` where there is a choice; None if they cannot."""
    n, m = len(first), len(second)
    if n + m != len(sequence):
        return None
    can = np.zeros((n + 2, m + 2), dtype=bool)  # whether first[i:] and second[j:] spell the rest
    can[n, m] = True
    for i in range(n, -1, -1):
        for j in range(m - (i == n), -1, -1):
            next_letter = sequence[i + j]
            can[i, j] = (i < n and first[i][2] == next_letter and can[i + 1, j]) or (
                j < m and second[j][2] == next_letter and can[i, j + 1]
            )
    if not can[0, 0]:
        return None
    i, j, merged = 0, 0, []
    while i + j < n + m:
        take = i < n and first[i][2] == sequence[i + j] and can[i + 1, j]
        other = j < m and second[j][2] == sequence[i + j] and can[i, j + 1]
        if take and not (other and key(second[j]) < key(first[i])):
            merged.append(first[i])
            i += 1
        else:
            merged.append(second[j])
            j += 1
    return merged
