"""Intervals of a genome: BED and narrowPeak in, sequences out (through pyfaidx, which reads only what is asked for).

Coordinates are BED's: 0-based, half-open.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import warnings
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyfaidx
from jaxtyping import Int

from zoo.domain.download import cache_dir
from zoo.domain.errors import InputError, LeftOut
from zoo.genomics.sequences import Sequences, from_strings

SUFFIXES = (".bed", ".narrowpeak", ".broadpeak")
COMPLEMENT = str.maketrans("ACGTUNacgtunRYSWKMBDHVryswkmbdhv", "TGCAANtgcaanYRSWMKVHDByrswmkvhdb")


@dataclass(frozen=True, eq=False)
class Intervals:
    """N intervals. centre: the summit where the file names one (narrowPeak's tenth column), else the middle, of an even
    length the base behind it as the strand is read."""

    chromosome: tuple[str, ...]
    start: Int[np.ndarray, " n"]
    end: Int[np.ndarray, " n"]
    centre: Int[np.ndarray, " n"]
    strand: tuple[str, ...]  # "+", "-" or "."

    def __len__(self) -> int:
        return len(self.chromosome)

    def starts(self, width: int) -> Int[np.ndarray, " n"]:
        """Where windows of `width` bases begin, so that the centre is base width // 2 of each as its strand is read."""
        turned = np.array([strand == "-" for strand in self.strand], dtype=bool)
        return self.centre - np.where(turned, (width - 1) // 2, width // 2)


def is_bed(path: str | Path) -> bool:
    """By its name: .bed, .narrowPeak or .broadPeak, gzipped or not."""
    return Path(path).name.lower().removesuffix(".gz").endswith(SUFFIXES)


def read_bed(path: str | Path) -> Intervals:
    """Reads BED3 to BED12, narrowPeak or broadPeak, plain or gzip; headers and comments are passed over.

    What has narrowPeak's ten columns in every line has its summits, whatever it is called. Raises InputError naming the
    file and the line.
    """
    path = Path(path)
    try:
        content = path.read_bytes()
        text = (gzip.decompress(content) if content.startswith(b"\x1f\x8b") else content).decode("utf-8-sig")
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file") from None
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise InputError(
            f"{path} cannot be read as BED ({type(error).__name__}): expected text, plain or gzip"
        ) from error
    lines = [
        (number, line.rstrip("\r\n").split("\t") if "\t" in line else line.split())
        for number, line in enumerate(text.splitlines(), 1)
        if line.strip() and not line.startswith(("#", "track", "browser"))
    ]
    if not lines:
        raise InputError(f"{path} holds no intervals; expected lines of chromosome, start and end")
    named = path.name.lower().removesuffix(".gz").endswith(".narrowpeak")
    summits = named or all(_is_narrow_peak(cells) for _, cells in lines)
    rows = [_row(path, number, cells, summits) for number, cells in lines]
    chromosome, start, end, centre, strand = zip(*rows, strict=True)
    return Intervals(chromosome, np.array(start), np.array(end), np.array(centre), strand)


def _is_narrow_peak(cells: list[str]) -> bool:
    """Ten columns: signal, -log10 p and q are numbers, the summit an offset inside the peak, or -1 for none."""
    try:
        start, end, summit = int(cells[1]), int(cells[2]), int(cells[9])
        signal, *logs = map(float, cells[6:9])
    except (IndexError, ValueError):
        return False
    return len(cells) == 10 and signal >= 0 and all(x >= 0 or x == -1 for x in logs) and -1 <= summit < end - start


def _row(path: Path, number: int, cells: list[str], summits: bool) -> tuple[str, int, int, int, str]:
    try:
        start, end = int(cells[1]), int(cells[2])
        summit = int(cells[9]) if summits and len(cells) > 9 else -1
    except (IndexError, ValueError):
        shown = "\t".join(cells).strip()
        raise InputError(f"{path}, line {number}: expected chromosome, start and end, got '{shown[:60]}'") from None
    if not 0 <= start < end or start + summit >= end:
        wrong = f"start {start} and end {end}" + (f", summit {summit}" if summit >= 0 else "")
        raise InputError(f"{path}, line {number}: {wrong} are no interval; expected 0 <= start < end")
    strand = cells[5] if len(cells) > 5 and cells[5] in ("+", "-") else "."
    middle = (start + end - (strand == "-")) // 2
    return cells[0], start, end, start + summit if summit >= 0 else middle, strand


def open_genome(path: str | Path) -> pyfaidx.Fasta:
    """An indexed FASTA; the index is made beside it at the first call, or in the cache where that may not be written.

    Raises InputError where the file is missing or cannot be indexed.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"There is no genome {path}.")
    index = None
    if not Path(f"{path}.fai").is_file() and not os.access(path.parent, os.W_OK):
        state = path.stat()
        mark = hashlib.sha256(f"{path.resolve()} {state.st_size} {state.st_mtime_ns}".encode()).hexdigest()[:16]
        index = cache_dir() / "indexes" / f"{path.name}.{mark}.fai"
        index.parent.mkdir(parents=True, exist_ok=True)
    try:
        return pyfaidx.Fasta(str(path), as_raw=True, indexname=None if index is None else str(index))
    except (pyfaidx.UnsupportedCompressionFormat, ImportError) as error:
        raise InputError(f"{path} is compressed in a way that cannot be indexed: unpack it with gunzip") from error
    except (pyfaidx.FastaIndexingError, pyfaidx.IndexNotFoundError, ValueError, OSError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{path} cannot be indexed as FASTA: {reason}") from error


def cut(
    genome: pyfaidx.Fasta, intervals: Intervals, width: int | None = None, source: str = "the intervals"
) -> Sequences:
    """The sequences of the intervals, or of `width` bases around their centres; those on the - strand turned round.

    Names are `chr1:100-300`, with `(-)` behind it where turned. Windows that a chromosome's end would cut are left out,
    with a warning. Raises InputError for a chromosome that the genome has not, or where nothing is left.
    """
    lengths = {name: len(genome[name]) for name in dict.fromkeys(intervals.chromosome) if name in genome}
    if unknown := sorted(set(intervals.chromosome) - set(lengths)):
        raise InputError(_unknown_chromosome(unknown, intervals, genome, source))
    start = intervals.start if width is None else intervals.starts(width)
    end = intervals.end if width is None else start + width
    names, texts, beyond = [], [], []
    for chromosome, a, b, strand in zip(
        intervals.chromosome, start.tolist(), end.tolist(), intervals.strand, strict=True
    ):
        if a < 0 or b > lengths[chromosome]:
            beyond.append(f"{chromosome}:{a}-{b}")
            continue
        text = str(genome[chromosome][a:b])
        texts.append(text.translate(COMPLEMENT)[::-1] if strand == "-" else text)
        names.append(f"{chromosome}:{a}-{b}" + ("(-)" if strand == "-" else ""))
    if not texts:
        raise InputError(
            f"all {len(intervals)} windows of {source} reach beyond their chromosomes: is it the right genome?"
        )
    if beyond:
        said = f"{len(beyond)} of {len(intervals)} windows of {source} reach beyond a chromosome's end: left out"
        warnings.warn(LeftOut(said, f"{said}: {', '.join(beyond)}"), stacklevel=2)
    try:
        return from_strings(texts, names)
    except ValueError as error:
        raise InputError(f"{source}: {error}") from error


def _unknown_chromosome(unknown: list[str], intervals: Intervals, genome: pyfaidx.Fasta, source: str) -> str:
    count = sum(name in set(unknown) for name in intervals.chromosome)
    return (
        f"the genome has no {unknown[0]!r}, on which {source} has intervals ({count} of {len(intervals)} are on such "
        f"chromosomes): {other_name(unknown[0], genome)}; rename them, leave them out, or give the genome they were "
        "called on"
    )


def other_name(chromosome: str, genome: pyfaidx.Fasta) -> str:
    """What the genome may call it: `chr9` for `9`, or what it has."""
    other = f"chr{chromosome}" if f"chr{chromosome}" in genome else chromosome.removeprefix("chr")
    has = list(genome.keys())
    return f"it calls it {other}" if other in genome else f"it has {', '.join(has[:4])}" + ", ..." * (len(has) > 4)
