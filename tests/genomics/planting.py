"""Sequences with a known answer: Markov background, sampled motif sites, evidence that is high on the sites."""

import numpy as np

from zoo.genomics.sequences import reverse_complement

# P(next | previous) of a mammal-like genome: CpG is rare, AA and TT are common.
TRANSITIONS = np.array(
    [
        [0.33, 0.17, 0.28, 0.22],
        [0.36, 0.26, 0.05, 0.33],
        [0.29, 0.21, 0.26, 0.24],
        [0.22, 0.20, 0.25, 0.33],
    ]
)


def markov(n, length, rng):
    codes = np.zeros((n, length), np.uint8)
    codes[:, 0] = rng.integers(4, size=n)
    cumulative = TRANSITIONS.cumsum(1)
    for i in range(1, length):
        codes[:, i] = np.minimum((rng.random(n)[:, None] > cumulative[codes[:, i - 1]]).sum(1), 3)
    return codes


def sample_sites(ppm, n, rng):
    return np.minimum((rng.random((n, len(ppm), 1)) > ppm.cumsum(1)).sum(-1), 3).astype(np.uint8)


def plant(motifs, n, length, rng, share=0.5, signal=3.0):
    """(codes, evidence, truth): each motif in a `share` of the sequences, on either strand.

    Evidence is unit noise, and on a site `signal` for each two bits of the column. truth rows are
    (index of motif, sequence, start, end, minus).
    """
    codes, evidence = markov(n, length, rng), rng.normal(size=(n, length))
    taken, truth = np.zeros((n, length), bool), []
    for k, motif in enumerate(motifs):
        sites, width = sample_sites(motif.ppm, n, rng), len(motif)
        for i in np.flatnonzero(rng.random(n) < share):
            free = [s for s in rng.integers(0, length - width, 20) if not taken[i, s : s + width].any()]
            if not free:
                continue
            at, minus = slice(free[0], free[0] + width), rng.random() < 0.5
            taken[i, at] = True
            codes[i, at] = reverse_complement(sites[i]) if minus else sites[i]
            evidence[i, at] += signal / 2 * (motif.information[::-1] if minus else motif.information)
            truth.append((k, i, at.start, at.stop, minus))
    return codes, evidence, truth
