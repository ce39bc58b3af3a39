"""A person's own files, whatever they are: sequences as text, or places in a genome."""

from __future__ import annotations

import difflib
import warnings
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import pyfaidx

from zoo.domain.errors import InputError
from zoo.genomics.gc_matched import gc_matched
from zoo.genomics.intervals import Intervals, cut, is_bed, open_genome, read_bed
from zoo.genomics.long_sequences import middle
from zoo.genomics.reading import read_sequences, unlabelled_table
from zoo.genomics.sequences import Sequences


@dataclass(frozen=True)
class OwnFiles:
    """Reads files with one genome and one width for all. genome: path of a FASTA, which BED files need."""

    genome: str | None = None
    width: int | None = None

    @cached_property
    def _genome(self) -> pyfaidx.Fasta:
        return open_genome(Path(self.genome).expanduser())

    def read(self, path: str, labelled: bool | None = None) -> Sequences:
        """The sequences of the file, `width` bases around the summits or centres where a width is given."""
        found = Path(path).expanduser()
        if is_bed(found):
            return cut(self._genome, read_bed(found), self.width, str(path))
        sequences = read_sequences(found, labelled)
        return sequences if self.width is None else middle(sequences, self.width)

    def positives(self, path: str) -> Sequences:
        """As `read`. Raises InputError where labels stand in a column of another name; warns where a table has none."""
        found = self.read(path)
        others = None if is_bed(path) else unlabelled_table(Path(path).expanduser())
        if others:
            raise InputError(
                f"{path} has no column 'label', and '{others[0]}' looks like one: call it 'label' (0 or 1), or take it "
                "out if all sequences are positives"
            )
        if others is not None:
            warnings.warn(f"{path} has no label column: all {len(found):,} taken as positives", stacklevel=2)
        return found

    def gc_matched(self, path: str, positives: Sequences, seed: int) -> Sequences:
        """Windows of the genome like `positives`, off the intervals of the BED file at `path` and what was cut."""
        intervals = read_bed(Path(path).expanduser())
        return gc_matched(positives, self._widest(intervals), self._genome, seed)

    def _widest(self, intervals: Intervals) -> Intervals:
        if self.width is None:
            return intervals
        start = intervals.starts(self.width)
        wide = np.maximum(intervals.end, start + self.width)
        return replace(intervals, start=np.minimum(intervals.start, np.maximum(start, 0)), end=wide)


def own_file_problems(
    positives: str, negatives: str | None, genome: str | None, width: int | None, made: tuple[str, ...]
) -> list[str]:
    """One sentence for each mistake, before anything is read. made: words for negatives that name no file."""
    wrong = [
        f"{name}={path}: there is no such file"
        for name, path in (("positives", positives), ("genome", genome))
        if path is not None and not Path(path).expanduser().is_file()
    ]
    if negatives is not None and negatives not in made and not Path(negatives).expanduser().is_file():
        near = difflib.get_close_matches(Path(negatives).name, made, n=1)
        hint = f"; did you mean {near[0]}?" if near else f"; without a file, one of {', '.join(made)}"
        wrong.append(f"negatives={negatives}: there is no such file{hint}")
    for name, path in (("positives", positives), ("negatives", negatives)):
        if path is not None and is_bed(path) and genome is None:
            wrong.append(f"{name}={path}: BED names places alone; give data.genome=, the FASTA that they are places of")
    if negatives == "gc_matched" and not is_bed(positives):
        wrong.append("negatives=gc_matched: takes windows off the positives, so these must be BED, with data.genome=")
    if width is not None and width < 1:
        wrong.append(f"width={width}: at least 1 base")
    return wrong
