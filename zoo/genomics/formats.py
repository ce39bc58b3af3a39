"""Motifs and sites in the field's own text formats. The functions return the text and touch no disk."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

from zoo.domain.errors import InputError
from zoo.genomics.motifs import BASES, UNIFORM, Motif, Sites
from zoo.genomics.place_names import genome_place

_MILLION = 10**6
_SITES_IF_UNKNOWN = 20  # MEME's own default, for a matrix of probabilities; Biopython fails on columns of 0 sites


def to_meme(motifs: Sequence[Motif], background: Float[np.ndarray, " 4"] = UNIFORM) -> str:
    """MEME minimal format, version 4 (https://meme-suite.org/meme/doc/meme-format.html).

    No E-value, which the format does not demand: the motifs were found by tests that give none. Six decimals, adjusted
    in the row's largest entry so that the printed numbers sum to exactly 1.
    """
    letters = " ".join(f"{base} {share}" for base, share in zip(BASES, _decimals(background[None])[0], strict=True))
    lines = [
        "MEME version 4",
        "",
        "ALPHABET= ACGT",
        "",
        "strands: + -",
        "",
        "Background letter frequencies",
        letters,
        "",
    ]
    for motif in motifs:
        n_sites = round(motif.n_sites) if motif.n_sites >= 4 else _SITES_IF_UNKNOWN
        lines.append(f"MOTIF {_word(motif.name)}")
        lines.append(f"letter-probability matrix: alength= 4 w= {len(motif)} nsites= {n_sites}")
        lines.extend(" ".join(row) for row in _decimals(motif.ppm))
        lines.append("")
    return "\n".join(lines) + "\n"


def to_jaspar(motifs: Sequence[Motif]) -> str:
    """JASPAR's matrix format: a header and one line of counts for each base, rounded to two decimals."""
    lines = []
    for motif in motifs:
        lines.append(f">{_word(motif.name)} {_word(motif.name)}")
        for base, row in zip(BASES, motif.counts.T, strict=True):
            lines.append(f"{base} [{' '.join(f'{count:.2f}' for count in row)}]")
    return "\n".join(lines) + "\n" if lines else ""


def to_bed(sites: Sites, sequence_names: Sequence[str], lengths: Sequence[int]) -> str:
    """BED6, 0-based and half-open, in order of sequence and start.

    The score is -10 log10 p, from 0 to 1000, as in FIMO's tracks. Sequences whose name is a place of a genome
    (`zoo.genomics.place_names`) have their sites put there; any other name stands as it is, up to its first blank.
    lengths: of the sequences.
    """
    lines = []
    for i in np.lexsort((sites.start, sites.sequence)):
        sequence = int(sites.sequence[i])
        place = genome_place(sequence_names[sequence], int(lengths[sequence]))
        score = bed_scores(sites.pvalue[i : i + 1])[0]
        start, end, strand = place.of(int(sites.start[i]), int(sites.end[i]), sites.strand[i])
        lines.append(f"{place.chromosome}\t{start}\t{end}\t{sites.motif[i]}\t{score}\t{strand}")
    return "\n".join(lines) + "\n" if lines else ""


def bed_scores(pvalue: Float[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    """round(-10 log10 p), no more than 1000."""
    return np.minimum(1000, np.rint(-10 * np.log10(np.maximum(pvalue, 1e-100)))).astype(int)


def _decimals(rows: Float[np.ndarray, "n 4"]) -> list[list[str]]:
    """Each row as decimals of six places that sum to exactly 1."""
    if (rows < 0).any() or not np.allclose(rows.sum(1), 1, atol=1e-6):
        raise InputError("frequencies must not be negative and must sum to 1.")
    millionths = np.rint(rows * _MILLION).astype(int)
    millionths[np.arange(len(rows)), millionths.argmax(1)] += _MILLION - millionths.sum(1)
    return [[f"{n // _MILLION}.{n % _MILLION:06d}" for n in row] for row in millionths]


def _word(name: str) -> str:
    """A name without blanks, which end it in these formats."""
    return "_".join(name.split()) or "motif"
