"""Homology-aware splits: sequences that share a stretch of k bases, on either strand, stay together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from zoo.domain.errors import InputError
from zoo.genomics.sequences import Sequences

LONGEST_K = 31  # two bits a base in 64
SPLIT_SEED = 0  # of parts, folds and made negatives: runs of several seeds must not learn from each other's test parts


def kmers(codes: NDArray[np.uint8], k: int, canonical: bool = True) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
    """Every k-mer of codes [N, L] as a number, and where it is real: (uint64 [N, L-k+1], bool [N, L-k+1]).

    canonical: a k-mer and its reverse complement are the same number. Windows with N or padding are not real.
    """
    if not 1 <= k <= LONGEST_K:
        raise InputError(f"k={k}: k-mers of 1 to {LONGEST_K} bases are supported.")
    num, windows = codes.shape[0], max(codes.shape[1] - k + 1, 0)
    forward, backward = np.zeros((num, windows), dtype=np.uint64), np.zeros((num, windows), dtype=np.uint64)
    real = np.ones((num, windows), dtype=bool)
    two = np.uint64(2)
    for i in range(k):
        base = codes[:, i : i + windows]
        real &= base < 4
        known = np.where(base < 4, base, 0).astype(np.uint64)
        forward = (forward << two) | known
        backward |= (np.uint64(3) - known) << np.uint64(2 * i)
    return (np.minimum(forward, backward) if canonical else forward), real


def shared_kmer_clusters(sequences: Sequences, k: int = 30) -> NDArray[np.int64]:
    """int64 [N]: the connected component of each sequence, where sharing a k-mer connects (strand-insensitive)."""
    number, real = kmers(sequences.codes, k)
    rows = np.nonzero(real)[0]
    _, column = np.unique(number[real], return_inverse=True)
    num = len(sequences)
    nodes = num + int(column.max(initial=-1)) + 1
    graph = coo_matrix((np.ones(len(rows), dtype=np.int8), (rows, num + column)), shape=(nodes, nodes))
    _, component = connected_components(graph, directed=False)
    return np.unique(component[:num], return_inverse=True)[1].astype(np.int64)


def homology_split(
    sequences: Sequences, fractions: Sequence[float] = (0.8, 0.1, 0.1), seed: int = 0, k: int = 30
) -> tuple[NDArray[np.int64], ...]:
    """One sorted index array for each fraction; no k-mer is shared between them.

    Whole clusters are dealt, the largest first, each to the part that still lacks most sequences of its classes,
    so sizes and class balance come out as asked unless a cluster is larger than a part. Labels are not required.
    Raises InputError where fractions are not positive or do not sum to 1, or where a part would be empty.
    """
    if min(fractions, default=0) <= 0 or abs(sum(fractions) - 1) > 1e-6:
        raise InputError(f"fractions={list(fractions)}: expected positive numbers that sum to 1.")
    cluster = shared_kmer_clusters(sequences, k)
    num_clusters = int(cluster.max(initial=-1)) + 1
    classes = np.zeros(len(sequences), int) if sequences.labels is None else sequences.labels.astype(int)
    members = np.zeros((num_clusters, 2), dtype=np.int64)  # [clusters, classes]
    np.add.at(members, (cluster, classes), 1)
    order = np.random.default_rng(seed).permutation(num_clusters)
    order = order[np.argsort(-members[order].sum(axis=1), kind="stable")]
    lacking = np.outer(fractions, members.sum(axis=0))  # [parts, classes]
    part = np.zeros(num_clusters, dtype=np.int64)
    for c in order:
        part[c] = np.argmax(lacking @ members[c])
        lacking[part[c]] -= members[c]
    split = tuple(np.flatnonzero(part[cluster] == p) for p in range(len(fractions)))
    if not all(len(rows) for rows in split):
        raise InputError(
            f"{len(sequences)} sequences in {num_clusters} clusters that share {k}-mers cannot fill "
            f"{len(fractions)} parts of {list(fractions)}; give a split of your own, or more sequences."
        )
    return split


def shares_kmer(test: Sequences, train: Sequences, k: int = 30, canonical: bool = True) -> NDArray[np.bool_]:
    """bool [len(test)]: True where the test sequence shares a k-mer with any train sequence.

    canonical: on either strand; False compares the strands as they are written.
    """
    number, real = kmers(test.codes, k, canonical)
    train_number, train_real = kmers(train.codes, k, canonical)
    return (np.isin(number, np.unique(train_number[train_real])) & real).any(axis=1)
