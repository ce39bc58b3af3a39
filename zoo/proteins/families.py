"""Pfam families with an alignment and a structure: the collection of Ollikainen & Kortemme (2013)."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int

from zoo.domain.errors import InputError
from zoo.proteins.alignment import Alignment
from zoo.proteins.contacts import Native, native
from zoo.proteins.reading import read_alignment, read_text
from zoo.proteins.structure import Chain, read_chain

# On these alone anything is chosen; the others are scored. Within each SCOP class (a, a/b, a+b, b), by accession, the
# 2nd and the 7th: fixed before any score was seen.
TUNING = ("PF00041", "PF00076", "PF00085", "PF00249", "PF00691", "PF01833")


@dataclass(frozen=True, eq=False)
class Family:
    """scop_class: a, b, a/b or a+b. The alignment has the columns where the structure has a residue; `native` is in
    its frame."""

    name: str
    scop_class: str
    alignment: Alignment
    native: Native


@dataclass(frozen=True)
class Listed:
    """A line of `domains.csv`: accession, PDB entry, SCOP class."""

    name: str
    entry: str
    scop_class: str


def listed(folder: Path) -> tuple[Listed, ...]:
    """The families of the folder's `domains.csv` whose alignment is there, by accession."""
    lines = [line for line in read_text(folder / "domains.csv").splitlines() if line and not line.startswith("#")]
    rows = [Listed(row[0], row[3], row[5]) for row in csv.reader(lines)]
    here = [row for row in rows if (folder / f"{row.name}.align.80").is_file()]
    if not here:
        raise InputError(f"{folder} holds none of the families that its domains.csv lists")
    return tuple(sorted(here, key=lambda row: row.name))


def read_families(folder: Path, names: Iterable[str] | None = None) -> Iterator[Family]:
    """All families of the folder, or those named, by accession."""
    wanted = None if names is None else set(names)
    for row in listed(folder):
        if wanted is None or row.name in wanted:
            alignment = read_alignment(folder / f"{row.name}.align.80")
            chain = read_chain(folder / f"{row.entry}_A.pdb")
            place = read_indices(folder / f"{row.entry}_A.indices", alignment.length, chain)
            there = place >= 0
            yield Family(row.name, row.scop_class, alignment.columns(there), native(chain, place[there]))


def read_indices(path: Path, length: int, chain: Chain) -> Int[np.ndarray, " L"]:
    """The residue in each column by the collection's own table: column from 0, letter, ordinal, number and chain.

    Joined by the author's number, as the ordinal is off by one for 1TEN. Raises InputError where a letter differs.
    """
    residue = {number: i for i, number in enumerate(chain.numbers) if number}
    place = np.full(length, -1)
    for line in read_text(path).splitlines():
        if not line.strip():
            continue
        column, letter, _, author = line.split("\t")[:4]
        number = author.split()[0]
        if number not in residue:
            raise InputError(f"{path}: residue {number} is not in the structure {chain.name}")
        if chain.sequence[residue[number]] != letter:
            raise InputError(f"{path}: residue {number} is {letter}, in {chain.name} {chain.sequence[residue[number]]}")
        place[int(column)] = residue[number]
    return place
