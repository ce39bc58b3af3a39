"""DNA sequences as one padded array of bases, and the few things one does to them.

Legend: N sequences, L the longest length. Codes: 0-3 = A C G T, 4 = N (any IUPAC ambiguity), 5 = padding.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

UNKNOWN = 4
PAD = 5
LETTERS = "ACGTN"
ILLEGAL = 255
LARGEST = 4 * 2**30  # codes, i.e. bytes: beyond this a padded array is the wrong shape for the data

_COMPLEMENT = np.array([3, 2, 1, 0, UNKNOWN, PAD], dtype=np.uint8)
_DECODE = np.frombuffer(LETTERS.encode(), dtype=np.uint8)


def _code_table() -> NDArray[np.uint8]:
    """Byte -> code: either case, U as T, IUPAC ambiguities as N."""
    table = np.full(256, ILLEGAL, dtype=np.uint8)
    for letters, code in (("A", 0), ("C", 1), ("G", 2), ("TU", 3), ("RYSWKMBDHVN", UNKNOWN)):
        for letter in letters + letters.lower():
            table[ord(letter)] = code
    return table


CODE_OF_BYTE = _code_table()


@dataclass(frozen=True, eq=False)
class Sequences:
    """N sequences.

    names:     N names; they may repeat.
    codes:     uint8 [N, L], see the legend; padding only at the end of a row.
    lengths:   int64 [N], bases before the padding.
    labels:    float32 [N] of 0 and 1, or None where nothing is labelled.
    lowercase: float32 [N], share of the letters that were lower case where the sequence was read, which no model sees;
               None where it was not read from text.
    """

    names: tuple[str, ...]
    codes: NDArray[np.uint8]
    lengths: NDArray[np.int64]
    labels: NDArray[np.float32] | None = None
    lowercase: NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.names)

    def strings(self) -> list[str]:
        """The sequences as upper-case text, N for anything ambiguous."""
        return [_DECODE[row[:n]].tobytes().decode() for row, n in zip(self.codes, self.lengths, strict=True)]


def from_strings(
    texts: Sequence[str], names: Iterable[str] | None = None, labels: ArrayLike | None = None
) -> Sequences:
    """Encodes text. Raises ValueError at an illegal character or where a padded array would exceed 4 GiB."""
    lengths = np.array([len(text) for text in texts], dtype=np.int64)
    longest = int(lengths.max(initial=0))
    if len(texts) * longest > LARGEST:
        raise ValueError(
            f"{len(texts):,} sequences of up to {longest:,} bases need {len(texts) * longest / 2**30:.0f} GiB when "
            "padded to the longest; cut the long ones into windows."
        )
    letters = np.frombuffer("".join(texts).encode("ascii", "replace"), dtype=np.uint8)
    flat = CODE_OF_BYTE[letters]
    if (flat == ILLEGAL).any():
        raise ValueError(f"'{''.join(texts)[int((flat == ILLEGAL).argmax())]}' is not a base.")
    codes = np.full((len(texts), longest), PAD, dtype=np.uint8)
    codes[np.arange(longest) < lengths[:, None]] = flat
    named = tuple(names) if names is not None else tuple(f"sequence_{i + 1}" for i in range(len(texts)))
    lower = np.bincount(np.repeat(np.arange(len(texts)), lengths), letters >= ord("a"), minlength=len(texts))
    lowercase = (lower / np.maximum(lengths, 1)).astype(np.float32)
    return Sequences(named, codes, lengths, None if labels is None else np.asarray(labels, np.float32), lowercase)


def one_hot(codes: NDArray[np.uint8]) -> NDArray[np.float32]:
    """codes [..., L] -> float32 [..., L, 4]; N and padding are all zeros: an unknown base votes for none."""
    return np.eye(PAD + 1, 4, dtype=np.float32)[codes]


def gc_content(sequences: Sequences) -> NDArray[np.float64]:
    """float [N]: share of G and C among the known bases, 0 where there are none."""
    strong = (sequences.codes == 1) | (sequences.codes == 2)
    return strong.sum(axis=1) / np.maximum((sequences.codes < UNKNOWN).sum(axis=1), 1)


def reverse_complement(codes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """codes [..., L] -> the other strand, read 5' to 3'; padding stays at the end of each row."""
    mirrored = (codes != PAD).sum(axis=-1, keepdims=True) - 1 - np.arange(codes.shape[-1])
    flipped = _COMPLEMENT[np.take_along_axis(codes, np.maximum(mirrored, 0), axis=-1)]
    return np.where(mirrored >= 0, flipped, np.uint8(PAD))


def take(sequences: Sequences, index: ArrayLike) -> Sequences:
    """The sequences at `index` (integers or a boolean mask [N]), in that order, padded no more than they need."""
    index = np.asarray(index)
    rows = np.flatnonzero(index) if index.dtype == bool else index.astype(np.int64)
    lengths = sequences.lengths[rows]
    return Sequences(
        names=tuple(sequences.names[i] for i in rows),
        codes=sequences.codes[rows, : int(lengths.max(initial=0))],
        lengths=lengths,
        labels=None if sequences.labels is None else sequences.labels[rows],
        lowercase=None if sequences.lowercase is None else sequences.lowercase[rows],
    )


def join(*parts: Sequences) -> Sequences:
    """All sequences of all parts, in order. Labels and letter case survive where every part has them."""
    longest = max((part.codes.shape[1] for part in parts), default=0)
    padded = [np.pad(part.codes, ((0, 0), (0, longest - part.codes.shape[1])), constant_values=PAD) for part in parts]

    def known_to_all(field: str) -> NDArray[np.float32] | None:
        columns = [getattr(part, field) for part in parts]
        return np.concatenate(columns) if columns and all(column is not None for column in columns) else None

    return Sequences(
        names=tuple(name for part in parts for name in part.names),
        codes=np.concatenate(padded) if padded else np.zeros((0, 0), dtype=np.uint8),
        lengths=np.concatenate([part.lengths for part in parts]) if parts else np.zeros(0, dtype=np.int64),
        labels=known_to_all("labels"),
        lowercase=known_to_all("lowercase"),
    )


def labelled(sequences: Sequences, label: float) -> Sequences:
    """The same sequences, all of one class."""
    return replace(sequences, labels=np.full(len(sequences), label, dtype=np.float32))
