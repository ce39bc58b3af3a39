"""A person's own alignment, and the structure that may lie beside it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Bool, Int
from torch.utils.data import DataLoader

from zoo.domain.errors import InputError
from zoo.proteins.alignment import Alignment, without_gappy
from zoo.proteins.alphabet import GAP, encode
from zoo.proteins.batch import LEAST_SEPARATION, Example, FamilySet, collate, with_structure
from zoo.proteins.contacts import native
from zoo.proteins.family_attention import FamilySettings
from zoo.proteins.mapping import place_of_columns
from zoo.proteins.reading import read_alignment, read_sequences
from zoo.proteins.structure import Chain, read_chain, read_chains
from zoo.proteins.weights import effective_depth

STRUCTURES = (".pdb", ".cif", ".ent", ".mmcif")
COVERAGE = 0.5  # of the columns, by each sequence
MOST_RESIDUES = 1000  # of one sequence: its map of pairs grows with the square
NO_RESIDUE = str.maketrans("", "", "-.*")
LEAST_DEPTH = 1.5  # Meff: one sequence says nothing of pairs


def own_example(path: Path, structure: Path | None = None) -> Example:
    """An alignment in the columns of its first sequence, the query, and what a structure says of it. Columns where the
    structure has a residue and the query none stay too: L of P@L is of all resolved residues that have a column.

    structure: a file, or a file and one of its chains as `my.cif:B`; else `my.pdb` or `my.cif` beside `my.a3m`. Of a
    file without a chain, the first that is like the alignment. Raises InputError, in one sentence, if either cannot be
    used."""
    whole, stem = read_alignment(path), stem_of(path)
    if (whole.codes[0] == GAP).all():
        raise InputError(f"{path}: the first sequence, the query, is nothing but gaps: put another one first")
    structure = structure or structure_beside(path)
    chosen, truth = query_columns(whole), None
    if structure is not None:
        chain, place = _placed(whole, structure)
        chosen = chosen | (place >= 0)
        truth = native(chain, place[chosen])
    alignment = without_gappy(whole.columns(chosen), COVERAGE, keep_first=True)
    if (depth := effective_depth(alignment.codes)) < LEAST_DEPTH:
        raise InputError(
            f"{path}: its {alignment.depth} sequences count as {depth:.1f}, as they are nearly the same: contacts need "
            "an alignment of many different ones (hundreds or more)"
        )
    if alignment.length <= LEAST_SEPARATION:
        raise InputError(
            f"{path} has {alignment.length} columns: contacts are of columns {LEAST_SEPARATION} and more apart"
        )
    return Example(stem, alignment, truth)


def structure_beside(path: Path) -> Path | None:
    """A file of the alignment's name and a structure's ending, plain or gzip."""
    stem = stem_of(path)
    beside = (path.with_name(f"{stem}{ending}{packed}") for ending in STRUCTURES for packed in ("", ".gz"))
    return next((p for p in beside if p.is_file()), None)


def stem_of(path: Path) -> str:
    name = Path(path).name.removesuffix(".gz")
    return name.rpartition(".")[0] or name


def query_columns(alignment: Alignment) -> Bool[np.ndarray, " L"]:
    """The columns in which the first sequence has a residue, if it has one in most of them; else all."""
    there = alignment.codes[0] != GAP
    return there if there.mean() >= 0.5 else np.ones_like(there)


def _placed(alignment: Alignment, path: Path) -> tuple[Chain, Int[np.ndarray, " L"]]:
    """The chain of the file that is like the alignment, and which of its residues stands in each column."""
    file, _, name = str(path).rpartition(":")
    chains = [read_chain(file, name)] if file and not path.exists() else list(read_chains(path).values())
    mistakes = []
    for chain in chains:
        try:
            place = place_of_columns(alignment, chain)
            native(chain, place[place >= 0])  # refuses a chain that was not seen in any of the columns
            return chain, place
        except InputError as error:
            mistakes.append(str(error))
    raise InputError(mistakes[0])


def own_sequences(path: Path, labelled: bool = False) -> list[Example]:
    """The sequences of a FASTA file, each by itself; aligned ones lose their gaps. Raises InputError."""
    if labelled:
        raise InputError(f"{path} has no structure to score against: give one with --structure")
    found = []
    for name, letters in read_sequences(Path(path).expanduser()):
        letters = letters.translate(NO_RESIDUE)
        codes = encode(letters)
        alignment = Alignment.of((name,), codes[None], letters).columns(codes != GAP)  # X is none of the twenty
        if not LEAST_SEPARATION < alignment.length <= MOST_RESIDUES:
            raise InputError(
                f"{path}: '{name[:40]}' has {alignment.length:,} residues; a sequence must have "
                f"{LEAST_SEPARATION + 1} to {MOST_RESIDUES:,}"
            )
        found.append(Example(name, alignment, None))
    return found


def with_native(examples: list[Example], path: Path, structure: Path) -> list[Example]:
    """The one example with what a structure says of it. Raises InputError."""
    if len(examples) != 1:
        raise InputError(f"{path} holds {len(examples)} sequences; a structure is of one: give a file of one sequence")
    return [examples[0]._replace(native=native(*_placed(examples[0].alignment, structure)))]


def input_loader(
    path: str | Path, labelled: bool = False, family: FamilySettings | None = None, structure: Path | None = None
) -> DataLoader:
    """One family from a file. Raises InputError if it cannot be used, or has no structure where one is asked for."""
    example = own_example(Path(path).expanduser(), structure)
    if labelled:
        with_structure([example], path)
    return DataLoader(FamilySet([example], family), batch_size=1, collate_fn=collate)
