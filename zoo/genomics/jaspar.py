"""Which known transcription factor a motif belongs to: TOMTOM against a named release of JASPAR.

pyjaspar carries the releases 2014-2026 with it, so nothing is downloaded. memelite does the TOMTOM.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from scipy.stats import false_discovery_control

from zoo.domain.errors import InputError
from zoo.genomics.motifs import Motif

RELEASE = "JASPAR2024"
CORE_PROMOTER_RELEASE = "JASPAR2020"  # the last release with the POLII collection (TATA box, initiator, ...)
MIN_BITS = 6.0  # a motif with less in total resembles everything: a uniform matrix gets p = 5e-14


@dataclass(frozen=True, eq=False)
class Reference:
    """A matrix of a database. `motif.name` is the factor's name, "FOS::JUN" for a dimer."""

    motif: Motif
    matrix_id: str  # "MA0139.2"
    family: str  # "" where JASPAR gives none; the families of a dimer are joined by "; "
    release: str

    @property
    def name(self) -> str:
        return self.motif.name


@dataclass(frozen=True)
class Match:
    """A found motif (the query) beside a matrix of the database (the target).

    offset:  where the query's first column falls, counted from the target's first (negative: it starts
             earlier). For strand "-" the target is the one that is turned round; the query never is.
    overlap: columns in common.
    pvalue:  chance that a random motif of the query's columns' scores matches this target as well or better
             at its best offset and strand.
    evalue:  pvalue x number of targets.
    qvalue:  Benjamini-Hochberg over the targets of this query, as in MEME's tomtom.
    """

    motif: str
    matrix_id: str
    name: str
    family: str
    pvalue: float
    evalue: float
    qvalue: float
    offset: int
    overlap: int
    strand: str


@lru_cache(maxsize=8)
def load_jaspar(
    release: str = "JASPAR2024",
    collection: str = "CORE",
    tax_groups: tuple[str, ...] | None = ("vertebrates",),
) -> tuple[Reference, ...]:
    """The matrices of a JASPAR release, 879 by default; read once in a process (~2 s).

    tax_groups: None for all. The POLII collection (TATA box, initiator, DPE) is in the releases to JASPAR2020
    only, with 13 matrices: add it to CORE (`load_jaspar() + load_jaspar("JASPAR2020", "POLII", None)`),
    since TOMTOM's p-values need the columns of many targets.
    """
    from pyjaspar import jaspardb

    database = jaspardb  # imported here: it opens SQLite, which only this function needs
    releases = database(release="JASPAR2024").get_releases()
    if release not in releases:
        raise InputError(f"{release!r} is not a JASPAR release; choose one of {', '.join(sorted(releases))}.")
    records = database(release=release).fetch_motifs(
        collection=collection, tax_group=list(tax_groups) if tax_groups else None
    )
    if not records:
        groups = ", ".join(tax_groups) if tax_groups else "any group"
        raise InputError(
            f"{release} holds no matrix in collection {collection!r} for {groups}. Collections are CORE, UNVALIDATED"
            " and, in the releases to JASPAR2020, POLII and others; groups are vertebrates, plants, insects, ..."
        )
    return tuple(_reference(record, release) for record in records)


def _reference(record, release: str) -> Reference:
    counts = np.array([record.counts[base] for base in "ACGT"], dtype=float).T
    family = "; ".join(dict.fromkeys(name for name in record.tf_family or () if name))
    return Reference(Motif(record.name, counts), record.matrix_id, family, release)


def match(
    motifs: Sequence[Motif], references: Sequence[Reference], top: int = 5, min_bits: float = MIN_BITS
) -> tuple[Match, ...]:
    """The `top` most similar references of every motif, motif by motif, by TOMTOM (Gupta et al. 2007).

    Motifs with less than `min_bits` in total are left out: their p-values mean nothing. q-values are per query,
    TOMTOM's own definition, which guards the sentence "this motif looks like that factor": of the queries
    that look like nothing, about 5 % get a match at q < 0.05. TOMTOM takes the columns of all targets for
    independent draws; JASPAR's families make that optimistic, the more so for short queries.
    The first call on a machine compiles memelite's kernels (about a minute), later ones read numba's cache.
    """
    names = [motif.name for motif in motifs]
    if len(set(names)) < len(names):
        raise InputError("motif names must be distinct to be matched.")
    queries = [motif for motif in motifs if motif.total_information >= min_bits]
    if not queries:
        return ()
    if not references:
        raise InputError("there is no reference motif to match against.")
    pvalues, offsets, overlaps, strands = _tomtom(queries, references)
    found = []
    for i, query in enumerate(queries):
        qvalues = false_discovery_control(pvalues[i])
        for j in np.argsort(pvalues[i], kind="stable")[:top]:
            target = references[j]
            found.append(
                Match(
                    motif=query.name,
                    matrix_id=target.matrix_id,
                    name=target.name,
                    family=target.family,
                    pvalue=float(pvalues[i, j]),
                    evalue=float(pvalues[i, j] * len(references)),
                    qvalue=float(qvalues[j]),
                    offset=int(offsets[i, j]),
                    overlap=int(overlaps[i, j]),
                    strand="-" if strands[i, j] else "+",
                )
            )
    return tuple(found)


def _tomtom(queries: Sequence[Motif], references: Sequence[Reference]) -> tuple[np.ndarray, ...]:
    """(p-values, offsets, overlaps, strands), each [queries, references]."""
    _choose_numba_cache()
    from memelite import tomtom

    threads = torch.get_num_threads()
    try:
        p, _score, offset, overlap, strand = tomtom(
            [_columns(query) for query in queries], [_columns(reference.motif) for reference in references]
        )
    finally:
        torch.set_num_threads(threads)  # numba sets OpenMP's, torch's too: the next run would add in another order
    return np.clip(p, 0, 1), offset, overlap, strand


def _columns(motif: Motif) -> Float[np.ndarray, "4 width"]:
    return np.ascontiguousarray(motif.ppm.T)


def _choose_numba_cache() -> None:
    """Somewhere that numba may write, so that memelite is compiled once, not once in each process.

    numba writes beside the package, else to the user's cache folder, and raises where it may write to neither.
    """
    package = Path(find_spec("memelite").origin).parent
    home = Path.home() / ".cache"
    if "NUMBA_CACHE_DIR" in os.environ or os.access(package, os.W_OK):
        return
    root = home if os.access(home if home.exists() else home.parent, os.W_OK) else Path(tempfile.gettempdir())
    os.environ["NUMBA_CACHE_DIR"] = str(root / "attention-zoo" / f"numba-{os.getuid()}")
