"""Which sequences are homologues, and a split that keeps them together.

Two are joined where a local alignment (BLOSUM62, gaps 11 and 1) is better than chance gives among all of them
(E < 0.01, Karlin & Altschul 1990), whatever joins them through others: single linkage, which errs towards too large
clusters and never leaves a pair apart.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence

import networkx as nx
import numpy as np
from Bio.Align import PairwiseAligner, substitution_matrices
from jaxtyping import Int
from rich.progress import track

from zoo.domain.download import cache_dir
from zoo.proteins.mapping import LAMBDA, K

SHARES = (7, 1, 2)  # train, valid, test
SPLIT_SEED = 0  # the split is the data's, not the run's
EXPECTED = 0.01  # alignments as good, of one sequence to any of the set, by chance


def clusters(sequences: Sequence[str]) -> list[list[int]]:
    """Numbers of the sequences, the largest cluster first. All pairs are aligned, which takes about a minute for 1,300
    sequences of 75 residues: what was found is kept in the cache."""
    key = hashlib.sha256(repr((sorted(sequences), EXPECTED)).encode()).hexdigest()[:32]
    kept = cache_dir() / "homologues" / f"{key}.json"
    if not kept.is_file():
        kept.parent.mkdir(parents=True, exist_ok=True)
        partial = kept.with_suffix(f".{os.getpid()}")
        partial.write_text(json.dumps(_homologues(sorted(sequences))))
        partial.replace(kept)
    order = sorted(range(len(sequences)), key=lambda i: sequences[i])
    found = [sorted(order[i] for i in part) for part in json.loads(kept.read_text())]
    return sorted(found, key=lambda part: (-len(part), part))


def _homologues(sequences: Sequence[str]) -> list[list[int]]:
    aligner = PairwiseAligner(mode="local", open_gap_score=-11, extend_gap_score=-1)
    aligner.substitution_matrix = substitution_matrices.load("BLOSUM62")
    lengths = np.array([len(s) for s in sequences])
    enough = np.log(K * lengths.sum() / EXPECTED) / LAMBDA
    joined = nx.Graph()
    joined.add_nodes_from(range(len(sequences)))
    for i, first in enumerate(track(sequences, description="Aligning all pairs", transient=True)):
        least = enough + np.log(len(first)) / LAMBDA
        joined.add_edges_from((i, j) for j in range(i) if aligner.score(first, sequences[j]) >= least)
    return [sorted(part) for part in nx.connected_components(joined)]


def whole_clusters(found: Sequence[Sequence[int]], shares: Sequence[float], seed: int) -> list[Int[np.ndarray, " k"]]:
    """Parts of about these shares, each cluster in one of them: the largest first (chance decides between equal ones),
    each to the part that lacks most. No part is empty where there are clusters enough; of a few large ones the parts
    are far from their shares."""
    total = sum(len(part) for part in found)
    lacks = np.array(shares) / sum(shares) * total
    dealt: list[list[int]] = [[] for _ in shares]  # numbers of clusters
    order = np.random.default_rng(seed).permutation(len(found))
    for number in sorted(order.tolist(), key=lambda n: -len(found[n])):  # the largest first; they fit least
        part = int(np.argmax(lacks))
        dealt[part].append(number)
        lacks[part] -= len(found[number])
    for part in dealt:
        givers = [other for other in dealt if len(other) > 1]
        if not part and givers:
            part.append(min(givers, key=lambda other: len(found[other[-1]])).pop())  # the smallest cluster there is
    return [np.array(sorted(i for number in part for i in found[number]), dtype=int) for part in dealt]
