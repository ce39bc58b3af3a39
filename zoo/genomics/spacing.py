"""Two motifs in one sequence: how they lie to each other, and how often.

A pair of sites lies in one of four ways, which are the same whichever strand is read:

    A> B>   both on one strand, A first          A> <B   facing each other
    B> A>   both on one strand, B first          <A B>   back to back

Two sites of one motif lie in three: the first two are one. A palindrome has no strand, so ways that differ in its
strand alone are one too, called by the first of them. Spacing is the number of bases between the two sites.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from zoo.genomics.motifs import Sites

WAYS = ("A> B>", "B> A>", "A> <B", "<A B>")
MAX_SPACING = 50  # bases
_COLUMNS = ("sequence", "a", "b", "way", "spacing", "site_a", "site_b")


def site_pairs(sites: Sites, names: Sequence[str], palindromes: Collection[str] = ()) -> pd.DataFrame:
    """Every two sites of one sequence that do not overlap and lie within `MAX_SPACING` bases.

    One row for each: sequence, a and b (indices into `names`, a <= b), way (index into `WAYS`), spacing, and the rows
    of both sites. Sites of motifs that are not in `names` are left out. palindromes: those of `names` that read alike
    on both strands.
    """
    index = {name: i for i, name in enumerate(names)}
    motif = np.array([index.get(name, -1) for name in sites.motif], dtype=int)
    minus = np.array([strand == "-" for strand in sites.strand], dtype=bool)
    strandless = [name in palindromes for name in names]
    alike = np.array([[one_way(a == b, x, y) for b, y in enumerate(strandless)] for a, x in enumerate(strandless)])
    rows = np.flatnonzero(motif >= 0)
    rows = rows[np.lexsort((sites.start[rows], sites.sequence[rows]))]
    found: list[np.ndarray] = []
    for step in range(1, len(rows)):  # the n-th neighbour to the right of every site, until none is near
        left, right = rows[:-step], rows[step:]
        spacing = sites.start[right] - sites.end[left]
        same = sites.sequence[left] == sites.sequence[right]
        if not (same & (spacing <= MAX_SPACING)).any():
            break
        kept = same & (spacing >= 0) & (spacing <= MAX_SPACING)
        left, right = left[kept], right[kept]
        swapped = motif[left] > motif[right]
        a, b = np.where(swapped, right, left), np.where(swapped, left, right)
        way = lies(~swapped, minus[a], minus[b])
        way = alike[motif[a], motif[b], way]
        found.append(np.stack([sites.sequence[a], motif[a], motif[b], way, spacing[kept], a, b], axis=1))
    table = np.concatenate(found) if found else np.zeros((0, len(_COLUMNS)), dtype=int)
    frame = pd.DataFrame(table, columns=_COLUMNS)
    return frame.sort_values(["a", "b", "sequence", "spacing"], kind="stable", ignore_index=True)


def lies(a_left: np.ndarray, a_minus: np.ndarray, b_minus: np.ndarray) -> Int[np.ndarray, " n"]:
    """Index into WAYS. Read from the other strand, left and right change places and both strands turn."""
    tandem = np.where(a_minus, ~a_left, a_left)  # both on one strand: does A come first on it?
    facing = np.where(a_left, ~a_minus, a_minus)  # on opposite strands: does A point at B?
    return np.where(a_minus == b_minus, np.where(tandem, 0, 1), np.where(facing, 2, 3))


def one_way(same: bool, a_strandless: bool, b_strandless: bool) -> Int[np.ndarray, " 4"]:
    """The way that each of the four is counted as, the first of those that cannot be told apart.

    same: A and B are one motif; strandless: a palindrome.
    """
    if same + a_strandless + b_strandless > 1:
        ways = [0, 0, 0, 0]
    elif same:
        ways = [0, 0, 2, 3]
    elif a_strandless:
        ways = [0, 1, 1, 0]
    else:
        ways = [0, 1, 0, 1] if b_strandless else [0, 1, 2, 3]
    return np.array(ways)


def histogram(spacing: Int[np.ndarray, " n"]) -> Float[np.ndarray, " bins"]:
    """How often each spacing 0 ... MAX_SPACING occurs."""
    return np.bincount(spacing, minlength=MAX_SPACING + 1)[: MAX_SPACING + 1].astype(float)


def near(counts: Float[np.ndarray, " bins"], reach: int) -> Float[np.ndarray, " bins"]:
    """Sums over the spacings within `reach` bases of each one."""
    return np.convolve(counts, np.ones(2 * reach + 1), mode="same")


def centre(counts: Float[np.ndarray, " bins"], reach: int) -> int:
    """The spacing around which most lies: the median of the fullest stretch of 2 `reach` + 1 spacings."""
    sums = near(counts, reach)
    fullest = np.flatnonzero(sums >= sums.max() - 1e-9)
    middle = int(fullest[len(fullest) // 2])
    start = max(0, middle - reach)
    held = np.cumsum(counts[start : middle + reach + 1])
    return start + int(np.searchsorted(held, held[-1] / 2))
