"""A person's own families for training the predictor: a folder of alignments, each beside a structure of its name."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from zoo.domain.errors import InputError, LeftOut
from zoo.proteins.alphabet import decode
from zoo.proteins.batch import Example
from zoo.proteins.data import Families
from zoo.proteins.homologues import SHARES, SPLIT_SEED, clusters, whole_clusters
from zoo.proteins.sources import own_example, stem_of, structure_beside

ALIGNMENTS = (".a3m", ".a2m", ".fasta", ".fa", ".faa", ".afa", ".mfa", ".aln", ".sto", ".stockholm", ".stk", ".clustal")
LEAST = 3  # families without homologues among the others: one for each part


class OwnFamilies(Families):
    """`my.a3m` and `my.cif`, `other.fasta` and `other.pdb.gz`, and so on, in one folder.

    Families whose queries are homologues (`zoo.proteins.homologues`) stay in one part. Raises InputError where a pair
    of files cannot be used or the families are too few; an alignment without a structure is left out and named.
    """

    def __init__(self, folder: str, **shared: Any):
        super().__init__(**shared)
        self.folder = Path(str(folder)).expanduser()

    @classmethod
    def problems(cls, folder: str, **arguments: Any) -> list[str]:
        wrong = super().problems(**arguments)
        return (
            wrong if Path(str(folder)).expanduser().is_dir() else [*wrong, f"folder={folder}: there is no such folder"]
        )

    def examples(self) -> Mapping[str, list[Example]]:
        found = [own_example(path) for path in self._usable()]
        parts = whole_clusters(clusters([_letters(e) for e in found]), SHARES, SPLIT_SEED)
        if any(not len(part) for part in parts):
            raise InputError(
                f"{self.folder} holds {len(found)} families with a structure, too few that are no homologues for a "
                f"part to train, one to validate and one to test: give {LEAST} at the very least, and rather twenty"
            )
        return dict(zip(("train", "valid", "test"), ([found[i] for i in part] for part in parts), strict=True))

    def _usable(self) -> Sequence[Path]:
        files = sorted(
            p for p in self.folder.iterdir() if p.is_file() and _ending(p) in ALIGNMENTS and p.name[0] != "."
        )
        stems = Counter(stem_of(p) for p in files)
        if twice := [stem for stem, n in stems.items() if n > 1]:
            raise InputError(f"{self.folder} holds several alignments called {', '.join(twice)}: keep one of each")
        alone = [path.name for path in files if structure_beside(path) is None]
        if alone:
            said = f"{self.folder}: {len(alone)} of {len(files)} alignments have no structure of their name beside them"
            warnings.warn(LeftOut(said, f"{said}: {', '.join(alone)}"), stacklevel=2)
        if len(files) - len(alone) < LEAST:
            raise InputError(
                f"{self.folder} holds {len(files) - len(alone)} alignments with a structure beside them, as my.a3m and "
                f"my.cif: give {LEAST} at the very least, and rather twenty"
            )
        return [path for path in files if path.name not in alone]


def _ending(path: Path) -> str:
    return Path(path.name.lower().removesuffix(".gz")).suffix


def _letters(example: Example) -> str:
    """Of the query, in the alignment's columns; X where it has no residue."""
    return decode(example.alignment.codes[0]).replace("-", "X")
