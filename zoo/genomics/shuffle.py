"""Dinucleotide shuffling: a random sequence with exactly the same overlapping pairs of bases.

A sequence is an Eulerian path through the graph whose edges are its dinucleotides; every Eulerian path with
the same ends has the same dinucleotides. Altschul & Erickson 1985 (doi:10.1093/oxfordjournals.molbev.a040370):
draw, for each base but the final one, the edge by which the path leaves it last; if these edges form a tree
towards the final base, any order of the other edges gives a path, and all paths are equally likely.

They draw trees until one is valid, which stalls on repeats ((CA)n before a T). With at most five letters
every tree can be listed (125 for each root) and one drawn by its weight, the product of its edge counts.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import product

import numpy as np
from numpy.typing import NDArray

from zoo.genomics.sequences import PAD, Sequences

LETTERS = 5  # A C G T and N, which is kept as a letter of its own
ROWS = 1024  # sequences shuffled at a time


def shuffle(sequences: Sequences, seed: int) -> Sequences:
    """Each sequence shuffled by `dinucleotide_shuffle`; names and labels stay."""
    return replace(sequences, codes=dinucleotide_shuffle(sequences.codes, seed))


def dinucleotide_shuffle(codes: NDArray[np.uint8], seed: int) -> NDArray[np.uint8]:
    """codes [N, L] -> [N, L]: uniform among the sequences with the same dinucleotide counts.

    The first and last bases stay, by mathematics; N counts as a letter; padding stays where it is.
    The same seed gives the same result on any machine.
    """
    draw = np.random.default_rng(seed)
    parts = [_shuffle_rows(codes[i : i + ROWS], draw) for i in range(0, len(codes), ROWS)]
    return np.concatenate(parts) if parts else codes.copy()


@cache
def _trees(root: int) -> NDArray[np.int64]:
    """[125, 5]: every spanning tree of the letters directed to `root`, as the letter each one leads to."""

    def arrives(parents: tuple[int, ...], letter: int) -> bool:
        for _ in range(LETTERS):
            letter = parents[letter]
        return letter == root

    choices = [[a] if a == root else [b for b in range(LETTERS) if b != a] for a in range(LETTERS)]
    valid = [parents for parents in product(*choices) if all(arrives(parents, a) for a in range(LETTERS))]
    return np.array(valid)


def _last_edges(counts: NDArray[np.int64], final: NDArray[np.intp], draw: np.random.Generator) -> NDArray[np.int64]:
    """counts [N, 5, 5] of edges a -> b, final [N] -> [N, 5]: the letter to which each letter's last edge leads."""
    leads_to = np.zeros((len(counts), LETTERS), dtype=np.int64)
    letters = np.arange(LETTERS)
    for root in np.unique(final):
        rows = np.flatnonzero(final == root)
        weights = counts[rows].astype(float)
        absent = weights.sum(axis=2) == 0  # such a letter has no edge: let it hang from the root at no cost
        weights[:, :, root] = np.where(absent, 1.0, weights[:, :, root])
        weights[:, root, root] = 1.0  # the root's own entry takes no part
        trees = _trees(int(root))
        heights = np.cumsum(weights[:, letters, trees].prod(axis=2), axis=1)  # [rows, 125]
        ticket = draw.random(len(rows))[:, None] * heights[:, -1:]
        leads_to[rows] = trees[np.minimum((heights <= ticket).sum(axis=1), len(trees) - 1)]
    return leads_to


def _shuffle_rows(codes: NDArray[np.uint8], draw: np.random.Generator) -> NDArray[np.uint8]:
    num, length = codes.shape
    if length < 3:
        return codes.copy()
    rows = np.arange(num)
    source, target = codes[:, :-1].astype(np.int64), codes[:, 1:].astype(np.int64)
    is_edge = target != PAD  # [N, L-1]
    num_edges = is_edge.sum(axis=1)
    final = np.where(num_edges > 0, codes[rows, num_edges], 0).astype(np.intp)

    pair = np.where(is_edge, source * LETTERS + target, LETTERS**2)
    flat = np.bincount((rows[:, None] * (LETTERS**2 + 1) + pair).ravel(), minlength=num * (LETTERS**2 + 1))
    counts = flat.reshape(num, LETTERS**2 + 1)[:, :-1].reshape(num, LETTERS, LETTERS)
    leads_to = _last_edges(counts, final, draw)

    # Random order of each letter's edges, its last edge last: sort by (letter, random key in [0, 1)).
    key = draw.random(source.shape)
    for letter in range(LETTERS):
        of_last = is_edge & (source == letter) & (target == leads_to[:, letter, None])
        held = of_last.any(axis=1) & (final != letter)
        key[rows[held], of_last[held].argmax(axis=1)] = 1.0
    order = np.argsort(np.where(is_edge, 2 * source + key, 2.0 * LETTERS + key), axis=1, kind="stable")
    target = np.take_along_axis(target, order, axis=1)
    next_edge = np.zeros((num, LETTERS), dtype=np.int64)  # where each letter's unused edges begin
    next_edge[:, 1:] = np.cumsum(counts.sum(axis=2), axis=1)[:, :-1]

    shuffled = codes.copy()
    here = np.where(codes[:, 0] == PAD, 0, codes[:, 0]).astype(np.int64)
    for step in range(int(num_edges.max(initial=0))):
        walking = rows if step < num_edges.min() else np.flatnonzero(num_edges > step)
        edge = next_edge[walking, here[walking]]
        next_edge[walking, here[walking]] += 1
        here[walking] = target[walking, edge]
        shuffled[walking, step + 1] = here[walking]
    return shuffled
