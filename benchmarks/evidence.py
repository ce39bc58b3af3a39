"""Kinds of evidence side by side, through the same clustering and matching: what each finds of what was planted.

    python train.py seed=0
    python -m benchmarks.evidence RUN [--sequences 400]

Planted positives of 150 bases that the run's model has not seen. Each kind of evidence is a number for each base:
attention x gradient along the way to all attention (`zoo.genomics.attribution`), the same with the gradient at its
end alone, raw attention, in-silico mutagenesis, and random numbers. From there on all is the same: seqlets, motifs
(one search, over negatives), TOMTOM. Plain enrichment asks no model. Precision: share of motifs that are of a planted
factor. Sites: mean average precision of a sequence's bases against its planted sites, of factors that tell the
classes apart, and how often the best window of 15 holds one whole.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from sklearn.metrics import average_precision_score

from benchmarks.modisco import factors
from benchmarks.results import Report, options
from zoo.genomics.attribution import attention_evidence, best_windows, coverage, mutagenesis
from zoo.genomics.discover import discover
from zoo.genomics.enriched_words import enriched_motifs
from zoo.genomics.evidence import WINDOW
from zoo.genomics.motifs import Motif
from zoo.genomics.placing import Planted
from zoo.genomics.planted import plant
from zoo.genomics.seqlets import find_seqlets
from zoo.genomics.sequences import take
from zoo.genomics.shuffle import dinucleotide_shuffle
from zoo.run.folder import RunFolder

LENGTH, SEED = 150, 1000
MOST = 20  # motifs


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--sequences", type=int, default=400)
    arguments = parser.parse_args()
    model = RunFolder.open(arguments.run).model().eval()
    arguments.run = arguments.run.name
    report = Report("evidence", arguments)
    planted = plant(2 * arguments.sequences, LENGTH, seed=SEED)
    labels = planted.sequences.labels
    rows = np.flatnonzero(labels == 1)
    codes, negatives = (take(planted.sequences, np.flatnonzero(labels == y)).codes for y in (1, 0))
    given = torch.from_numpy(codes)
    tracks: dict[str, Callable[[], torch.Tensor]] = {
        "attention x gradient": lambda: attention_evidence(model, given).score,
        "its gradient at the end alone": lambda: attention_evidence(model, given, faded=(1.0,)).score,
        "raw attention": lambda: attention_evidence(model, given).raw,
        "mutagenesis": lambda: mutagenesis(model, given),
        "random": lambda: torch.rand(given.shape, generator=torch.Generator().manual_seed(0)),
    }
    sites = sites_of(planted, rows)
    table = []
    for name, track in tracks.items():
        start = time.process_time()
        score = track()
        spent = time.process_time() - start
        seqlets = find_seqlets(score.numpy().astype(float), np.ones(codes.shape, bool))
        found = [d.motif for d in discover(codes, seqlets, negatives, max_motifs=MOST)]
        table.append({"evidence": name, **told(found, planted), **landed(score, sites), "CPU s of the evidence": spent})
        print(table[-1], flush=True)
    for name, others in (("shuffles", dinucleotide_shuffle(codes, 0)), ("negatives", negatives)):
        found = [d.motif for d in enriched_motifs(codes, others)]
        table.append({"evidence": f"plain enrichment over {name}", **told(found, planted)})
    report.table(
        f"{len(codes)} planted positives, {len(planted.predictive)} factors that tell the classes apart", table
    )
    report.write()


def told(found: list[Motif], planted: Planted) -> dict[str, object]:
    named = factors([motif.renamed(f"{i}-{motif.name}") for i, motif in enumerate(found)], planted)
    telling = {name for name in named if name in planted.predictive}
    right = float(np.mean([bool(name) for name in named])) if named else float("nan")
    return {"factors": len(telling), "motifs": len(found), "precision": right}


def sites_of(planted: Planted, rows: np.ndarray) -> list[list[tuple[int, int]]]:
    """[start, end) of the sites that tell the classes apart, in each of the rows."""
    telling = planted.sites[planted.sites["name"].isin(planted.predictive)]
    by_row = {row: list(zip(g["start"], g["end"], strict=True)) for row, g in telling.groupby("sequence")}
    return [by_row.get(int(row), []) for row in rows]


def landed(score: torch.Tensor, sites: list[list[tuple[int, int]]]) -> dict[str, float]:
    having = [i for i, where in enumerate(sites) if where]
    truth = np.zeros(score.shape, bool)
    for i in having:
        for start, end in sites[i]:
            truth[i, start:end] = True
    precision = [average_precision_score(truth[i], score[i].numpy()) for i in having]
    width = max(WINDOW, max(end - start for where in sites for start, end in where))
    windows = best_windows(score[having], width, torch.ones(score[having].shape, dtype=torch.bool)).tolist()
    held = coverage(windows, width, [sites[i] for i in having])
    return {"site average precision": float(np.mean(precision)), "best window on a site": held}


if __name__ == "__main__":
    main()
