"""Equal windows of sequence: around seqlets, and of the same shape elsewhere, for comparison.

A window is a core (the seqlet) with a flank on either side. A site belongs to a window when its centre lies in
the core or within `MARGIN` of it; seqlets and controls are thus searched at equally many places, and the flanks
let a long motif come out whole.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int, UInt8

from zoo.genomics.motifs import UNKNOWN
from zoo.genomics.scan import strand_scores
from zoo.genomics.seqlets import Seqlets
from zoo.genomics.sequences import reverse_complement

MAX_WIDTH = 30  # columns of the longest motif sought
TOLD = 0.25  # of the information of a motif's best column, for a column to tell something
MARGIN = 5
FLANK = MARGIN + MAX_WIDTH // 2


@dataclass(frozen=True, eq=False)
class Windows:
    """codes: [n, core + 2 FLANK]; sequence and start say where column 0 lies (start may be negative).

    stranded: sites are sought on the strand as written alone.
    """

    codes: UInt8[np.ndarray, "n width"]
    sequence: Int[np.ndarray, " n"]
    start: Int[np.ndarray, " n"]
    stranded: bool = False

    def __len__(self) -> int:
        return len(self.codes)

    def __getitem__(self, index) -> Windows:
        return replace(self, codes=self.codes[index], sequence=self.sequence[index], start=self.start[index])

    def starts(self, width: int) -> slice:
        """Columns at which a site of `width` may start, so that its centre belongs to the window."""
        first = FLANK - MARGIN - width // 2
        return slice(first, self.codes.shape[1] - FLANK + MARGIN - width // 2)

    def codes_at(self, column: Int[np.ndarray, " n"], width: int, minus: np.ndarray) -> UInt8[np.ndarray, "n width"]:
        """`width` codes of each window from `column` on (N outside it), turned round where `minus`."""
        padded = np.pad(self.codes, ((0, 0), (MAX_WIDTH, MAX_WIDTH)), constant_values=UNKNOWN)
        columns = np.clip(column[:, None] + np.arange(width) + MAX_WIDTH, 0, padded.shape[1] - 1)
        codes = padded[np.arange(len(self))[:, None], columns]
        codes[minus] = reverse_complement(codes[minus])
        return codes


@dataclass(frozen=True, eq=False)
class BestSites:
    """The best place of a motif in each window: its column, its strand, its score in bits."""

    column: Int[np.ndarray, " n"]
    minus: np.ndarray
    score: Float[np.ndarray, " n"]

    def __getitem__(self, index) -> BestSites:
        return BestSites(self.column[index], self.minus[index], self.score[index])


def best_sites(weights: Float[np.ndarray, "width 4"], windows: Windows) -> BestSites:
    """Highest log-odds over the allowed starts and strands, one for each window."""
    allowed = windows.starts(len(weights))
    strands = np.stack(strand_scores(weights, windows.codes, windows.stranded), axis=1)[:, :, allowed]
    flat = strands.reshape(len(strands), -1)
    best = flat.argmax(1)
    strand, column = np.divmod(best, strands.shape[2])
    return BestSites(column + allowed.start, strand == 1, flat[np.arange(len(flat)), best])


def erase(weights: Float[np.ndarray, "width 4"], threshold: float, windows: Windows) -> Windows:
    """The windows with every site that scores at least `threshold` overwritten by N, in the columns that tell
    something: loose ones may be a neighbour's, which is still to be found."""
    information = _information(weights)
    told = information >= TOLD * information.max()
    covered = np.zeros(windows.codes.shape, bool)
    for scores, columns in zip(
        strand_scores(weights, windows.codes, windows.stranded), (told, told[::-1]), strict=False
    ):
        hit = scores >= threshold
        for j in np.flatnonzero(columns):
            covered[:, j : j + hit.shape[1]] |= hit
    return replace(windows, codes=np.where(covered, UNKNOWN, windows.codes))


def _information(weights: Float[np.ndarray, "width 4"]) -> Float[np.ndarray, " width"]:
    """Bits of each column of log-odds, as if all letters were equally common."""
    p = np.exp2(weights) / np.exp2(weights).sum(1, keepdims=True)
    return 2 + (p * np.log2(np.maximum(p, 1e-12))).sum(1)


def seqlet_windows(codes: UInt8[np.ndarray, "n length"], seqlets: Seqlets, stranded: bool = False) -> Windows:
    """A window around each seqlet, N beyond the ends of the sequence. Seqlets must be of equal width."""
    core = int(seqlets.end[0] - seqlets.start[0])
    return replace(_cut(codes, seqlets.sequence, seqlets.start, core), stranded=stranded)


def control_windows(
    codes: UInt8[np.ndarray, "n length"],
    seqlets: Seqlets,
    background: UInt8[np.ndarray, "m length_b"],
    n_windows: int,
    rng: np.random.Generator,
    stranded: bool = False,
) -> Windows:
    """Up to `n_windows` windows whose cores lie clear of every seqlet: half of them from the same sequences,
    half from `background` (all from one where the other has too few). Cores do not overlap and hold no N."""
    core = int(seqlets.end[0] - seqlets.start[0])
    taken = np.zeros(codes.shape, bool)
    for offset in range(-FLANK, core + FLANK):
        columns = seqlets.start + offset
        inside = (columns >= 0) & (columns < codes.shape[1])
        taken[seqlets.sequence[inside], columns[inside]] = True
    same = _tile(codes, taken, core, rng)
    other = _tile(background, np.zeros(background.shape, bool), core, rng)
    n_other = min(len(other[0]), max(n_windows // 2, n_windows - len(same[0])))
    n_same = min(len(same[0]), n_windows - n_other)
    parts = []
    for (rows, starts), n, source, shift in (
        (same, n_same, codes, 0),
        (other, n_other, background, len(codes)),
    ):
        chosen = np.sort(rng.permutation(len(rows))[:n])
        cut = _cut(source, rows[chosen], starts[chosen], core)
        parts.append(Windows(cut.codes, cut.sequence + shift, cut.start))
    return Windows(*(np.concatenate([getattr(p, f) for p in parts]) for f in ("codes", "sequence", "start")), stranded)


def _tile(codes: np.ndarray, taken: np.ndarray, core: int, rng: np.random.Generator) -> tuple:
    """(row, start) of consecutive cores that are free of N and of `taken`, from a random phase in each row."""
    n, length = codes.shape
    bad = np.pad(np.cumsum(taken | (codes == UNKNOWN), axis=1), ((0, 0), (1, 0)))
    starts = rng.integers(core, size=(n, 1)) + core * np.arange(max(length // core, 1))
    fits = starts + core <= length
    begin = np.where(fits, starts, 0)
    end = np.where(fits, starts + core, 0)
    free = fits & (np.take_along_axis(bad, end, 1) == np.take_along_axis(bad, begin, 1))
    rows, column = np.nonzero(free)
    return rows, starts[rows, column]


def _cut(codes: np.ndarray, rows: np.ndarray, starts: np.ndarray, core: int) -> Windows:
    padded = np.pad(codes.astype(np.uint8), ((0, 0), (FLANK, FLANK)), constant_values=UNKNOWN)
    columns = starts[:, None] + np.arange(core + 2 * FLANK)
    return Windows(padded[rows[:, None], columns], rows, starts - FLANK)


def column_counts(
    codes: UInt8[np.ndarray, "n width"], weight: Float[np.ndarray, " n"] | None = None
) -> Float[np.ndarray, "width 4"]:
    """How often each base stands in each column, rows weighted (by 1 if not given); N is not counted."""
    weight = np.ones(len(codes)) if weight is None else weight
    return np.stack([weight @ (codes == base) for base in range(4)], axis=1)
