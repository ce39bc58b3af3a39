"""Motifs from the same scores: our clustering beside TF-MoDISco's, in time, memory and what is found.

    uv venv modisco && uv pip install -p modisco modisco-lite       (its own environment)
    python train.py seed=0
    python -m benchmarks.modisco RUN --python modisco/bin/python --limit 1200

5,000 planted positives of 300 bases that the run's model has not seen, scored by its attention x gradient. modisco-lite
wants a score for every base that might stand there; it is given those of the bases that do, and zeros (positive
patterns alone are compared). Both run in a fresh process of one thread; what they find is matched to JASPAR by TOMTOM.
A method whose process is not done at the limit is stopped: what is said of its time is a bound from below.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch

from benchmarks.results import Report, options
from zoo.genomics.attribution import attention_evidence
from zoo.genomics.jaspar import load_jaspar, match
from zoo.genomics.motifs import Motif
from zoo.genomics.placing import Planted
from zoo.genomics.planted import plant
from zoo.genomics.recovered import UNSPECIFIC
from zoo.genomics.sequences import take
from zoo.run.folder import RunFolder

CHILD = Path(__file__).with_name("modisco_child.py")


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--python", default=sys.executable, help="that has modisco-lite")
    parser.add_argument("--sequences", type=int, default=5000)
    parser.add_argument("--limit", type=float, help="seconds for each method; none if not given")
    arguments = parser.parse_args()
    model = RunFolder.open(arguments.run).model().eval()
    arguments.run, python = arguments.run.name, arguments.python
    arguments.python = "of modisco-lite"
    report = Report(f"modisco_{arguments.sequences}", arguments)
    planted = plant(2 * arguments.sequences, 300, seed=1000)
    labels = planted.sequences.labels
    positives, negatives = (take(planted.sequences, np.flatnonzero(labels == y)) for y in (1, 0))
    score = attention_evidence(model, torch.from_numpy(positives.codes)).score.numpy()
    rows = []
    for name, command in (("ours", sys.executable), ("modisco-lite", python)):
        try:
            found, taken, peak = run(command, name, positives.codes, negatives.codes, score, arguments.limit)
        except subprocess.TimeoutExpired:
            rows.append({"": f"{name}, stopped", "s": arguments.limit})
            continue
        named = factors(found, planted)
        rows.append(
            {
                "": name, "s": taken, "peak MiB": peak / 1024, "motifs": len(found),
                f"of {len(planted.factors)} planted factors": len({name for name in named if name}),
                "motifs of no planted factor": sum(not name for name in named),
            }
        )  # fmt: skip
    columns = max(rows, key=len)
    if "motifs" in rows[0]:
        known = [key for key in ("s", "peak MiB") if key in rows[1]]
        rows.append({"": "modisco-lite / ours", **{key: rows[1][key] / rows[0][key] for key in known}})
    rows = [{key: row.get(key, "") for key in columns} for row in rows]
    report.table(f"{len(positives)} sequences of 300 bases, the same scores", rows)
    report.write()


def run(python: str, name: str, codes: np.ndarray, negatives: np.ndarray, score: np.ndarray, limit: float | None):
    """(motifs, seconds, peak KiB) of one method in a process of its own. Raises subprocess.TimeoutExpired."""
    with tempfile.TemporaryDirectory() as folder:
        given, made = Path(folder) / "given.npz", Path(folder) / "made.npz"
        np.savez(given, codes=codes, negatives=negatives, score=score)
        single = dict.fromkeys(("OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
        words = [python, str(CHILD), name, str(given), str(made)]
        done = subprocess.run(
            words, env={**os.environ, **single}, check=True, capture_output=True, text=True, timeout=limit
        )
        with np.load(made) as arrays:
            motifs = [Motif(f"{i + 1}", counts) for i, counts in enumerate(arrays.values())]
    cost = json.loads(done.stdout.splitlines()[-1])
    return motifs, cost["seconds"], cost["peak"]


def factors(motifs: list[Motif], planted: Planted) -> list[str]:
    """The planted factor among each motif's five best matches (q < .05), or ''."""
    hits = match(motifs, load_jaspar(), top=5)
    names = []
    for motif in motifs:
        mine = [hit for hit in hits if hit.motif == motif.name and hit.qvalue < 0.05]
        same = [
            f.name for hit in mine for f in planted.factors
            if hit.name == f.name or (hit.family == f.reference.family and hit.family not in ("", UNSPECIFIC))
        ]  # fmt: skip
        names.append(same[0] if same else "")
    return names


if __name__ == "__main__":
    main()
