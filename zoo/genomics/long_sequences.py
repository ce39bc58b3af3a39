"""Sequences that are longer than wanted: their middle, or all of them as windows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from jaxtyping import Int

from zoo.genomics.place_names import name_of_part
from zoo.genomics.sequences import PAD, Sequences


def middle(sequences: Sequences, width: int) -> Sequences:
    """`width` bases around the centre of each, named by their place; a shorter one stays as it is."""
    start, kept = np.maximum(sequences.lengths - width, 0) // 2, np.minimum(sequences.lengths, width)
    names = [
        name if length == n else name_of_part(name, int(length), int(a), int(a + n))
        for name, length, a, n in zip(sequences.names, sequences.lengths, start, kept, strict=True)
    ]
    return _cut(sequences, np.arange(len(sequences)), start, kept, tuple(names))


def windows(sequences: Sequences, longest: int, width: int) -> Sequences:
    """Those longer than `longest` as windows of `width`, each half over the next, the last one flush with the end.

    Their names say where they lie, `NAME:start-end` or in the genome (`zoo.genomics.place_names`).
    """
    rows, starts, names = [], [], []
    for i, length in enumerate(sequences.lengths.tolist()):
        if length <= longest:
            rows.append(i)
            starts.append(0)
            names.append(sequences.names[i])
            continue
        for start in dict.fromkeys([*range(0, length - width, max(1, width // 2)), length - width]):
            rows.append(i)
            starts.append(start)
            names.append(name_of_part(sequences.names[i], length, start, start + width))
    row = np.array(rows, dtype=int)
    whole = sequences.lengths[row] <= longest
    return _cut(sequences, row, np.array(starts), np.where(whole, sequences.lengths[row], width), tuple(names))


def _cut(
    sequences: Sequences,
    rows: Int[np.ndarray, " k"],
    start: Int[np.ndarray, " k"],
    lengths: Int[np.ndarray, " k"],
    names: tuple[str, ...],
) -> Sequences:
    place = np.arange(int(lengths.max(initial=0)))
    column = np.minimum(start[:, None] + place, max(sequences.codes.shape[1] - 1, 0))
    codes = np.where(place < lengths[:, None], sequences.codes[rows[:, None], column], np.uint8(PAD))
    per_row = {
        field: None if (values := getattr(sequences, field)) is None else values[rows]
        for field in ("labels", "lowercase")
    }
    return replace(sequences, names=tuple(names), codes=codes, lengths=lengths.astype(np.int64), **per_row)
