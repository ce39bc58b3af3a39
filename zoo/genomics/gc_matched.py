"""Negatives from the genome itself: windows that are as long and as rich in G and C as the positives, and are none."""

from __future__ import annotations

import numpy as np
import pyfaidx
from jaxtyping import Float, Int

from zoo.domain.errors import InputError
from zoo.genomics.intervals import Intervals
from zoo.genomics.motifs import BASES
from zoo.genomics.sequences import Sequences, from_strings, gc_content

STEP = 0.02  # GC content is matched to this; wider for those that find nothing
ROUNDS = 40
WIDER = 10  # rounds after which the step doubles
DRAWS = 8  # windows drawn for each positive still unmatched, in each round


def gc_matched(positives: Sequences, taken: Intervals, genome: pyfaidx.Fasta, seed: int) -> Sequences:
    """One window for each positive: of its length, of its GC content to .02 (wider where the genome has none), without
    N, off all intervals `taken` and off each other, at random places of the chromosomes on which `taken` lies.

    Raises InputError where the genome has too few such windows.
    """
    draw = np.random.default_rng(seed)
    places = _Places(genome, taken)
    wanted = gc_content(positives)
    texts: list[str | None] = [None] * len(positives)
    names = [""] * len(positives)
    for turn in range(ROUNDS):
        missing = np.array([i for i, text in enumerate(texts) if text is None], dtype=int)
        if len(missing) == 0:
            return from_strings(texts, names, np.zeros(len(texts)))
        step = STEP * 2 ** (turn // WIDER)
        rows = np.tile(missing, DRAWS)
        chromosome, start = places.draw(positives.lengths[rows], draw)
        drawn = [places.text(c, a, n) for c, a, n in zip(chromosome, start, positives.lengths[rows], strict=True)]
        fits = np.array([set(text.upper()) <= set(BASES) for text in drawn])
        known = from_strings([text if fit else "N" for text, fit in zip(drawn, fits, strict=True)])
        gc = np.where(fits, gc_content(known), np.nan)
        for row, j in _matched(rows, wanted, gc, positives.lengths, step):
            if places.take(chromosome[j], int(start[j]), int(positives.lengths[row])):
                texts[row] = drawn[j]
                names[row] = f"{places.names[chromosome[j]]}:{start[j]}-{start[j] + positives.lengths[row]}"
    left = sum(text is None for text in texts)
    raise InputError(
        f"the genome has too few windows like {left} of the {len(positives)} positives (their length and GC content, "
        "without N, off the positives): give negatives of your own, or negatives=shuffled"
    )


def _matched(
    rows: Int[np.ndarray, " d"],
    wanted: Float[np.ndarray, " n"],
    gc: Float[np.ndarray, " d"],
    lengths: Int[np.ndarray, " n"],
    step: float,
) -> list[tuple[int, int]]:
    """(positive, draw) pairs of one length and one bin of GC content, each used once."""
    waiting: dict[tuple[int, int], list[int]] = {}
    for row in dict.fromkeys(rows.tolist()):
        waiting.setdefault((int(lengths[row]), int(wanted[row] / step)), []).append(row)
    pairs = []
    for j in np.flatnonzero(~np.isnan(gc)):
        queue = waiting.get((int(lengths[rows[j]]), int(gc[j] / step)))
        if queue:
            pairs.append((queue.pop(), int(j)))
    return pairs


class _Places:
    """The chromosomes end to end, and what of them is taken."""

    def __init__(self, genome: pyfaidx.Fasta, taken: Intervals):
        self.names = list(dict.fromkeys(taken.chromosome))
        self.sequences = [genome[name] for name in self.names]
        self.lengths = np.array([len(sequence) for sequence in self.sequences])
        index = {name: i for i, name in enumerate(self.names)}
        spans: list[list[tuple[int, int]]] = [[] for _ in self.names]
        for name, a, b in zip(taken.chromosome, taken.start.tolist(), taken.end.tolist(), strict=True):
            spans[index[name]].append((a, b))
        ordered = [np.array(sorted(s), dtype=np.int64).reshape(-1, 2) for s in spans]
        self.starts = [s[:, 0] for s in ordered]
        self.ends = [np.maximum.accumulate(s[:, 1]) for s in ordered]  # the furthest so far: one look finds an overlap

    def draw(self, widths: Int[np.ndarray, " d"], draw: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """(chromosome, start), uniform over the genome."""
        chromosome = draw.choice(len(self.names), len(widths), p=self.lengths / self.lengths.sum())
        room = np.maximum(self.lengths[chromosome] - widths, 0)
        return chromosome, (draw.random(len(widths)) * (room + 1)).astype(np.int64)

    def text(self, chromosome: int, start: int, width: int) -> str:
        """The bases; an N where the window would leave the chromosome."""
        text = str(self.sequences[chromosome][int(start) : int(start + width)])
        return text if len(text) == width else "N"

    def take(self, chromosome: int, start: int, width: int) -> bool:
        """Whether the window was free; it is not from now on."""
        starts, ends = self.starts[chromosome], self.ends[chromosome]
        before = int(np.searchsorted(starts, start + width)) - 1  # the last that begins before the window ends
        if before >= 0 and ends[before] > start:
            return False
        at = before + 1
        self.starts[chromosome] = np.insert(starts, at, start)
        self.ends[chromosome] = np.insert(ends, at, start + width)
        return True
