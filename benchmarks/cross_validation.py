"""A genomics experiment by five-fold, homology-aware cross-validation inside its training and validation parts.

    python -m benchmarks.cross_validation sigma70_shuffled --seeds 1

Every fold is a run of `python train.py experiment=NAME data.fold=K seed=S`, whose own validation part chooses the epoch
and the regressions' strength; the set's test part is not scored. The difference to each regression is paired by
fold; its interval is Student's over the folds (the seeds averaged first).
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import t

from benchmarks.results import Report, options
from zoo.genomics.folds import FOLDS
from zoo.run.finish import OURS

METRICS = ("auroc", "mcc")


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("experiment")
    parser.add_argument("overrides", nargs="*", metavar="key=value")
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    report = Report(f"cross_validation_{arguments.experiment}", arguments)
    rows = []
    for fold in range(FOLDS):
        for seed in range(arguments.seeds):
            rows.append(run(arguments.experiment, fold, seed, arguments.overrides, arguments.threads))
            print(f"fold {fold} seed {seed}: {rows[-1].auroc.to_dict()}", flush=True)
    scores = pd.concat(rows)
    by_fold = scores.groupby(["model", "fold"])[list(METRICS)].mean()
    report.table(
        f"{arguments.experiment}: mean over {FOLDS} folds", [summary(by_fold, model) for model in order(scores)]
    )
    report.write()


def run(experiment: str, fold: int, seed: int, overrides: list[str], threads: int) -> pd.DataFrame:
    with tempfile.TemporaryDirectory() as folder:
        words = [
            f"experiment={experiment}",
            f"data.fold={fold}",
            f"seed={seed}",
            "logger=csv",
            "insight=false",
            *overrides,
        ]
        quiet = ["callbacks.progress=null", "trainer.enable_progress_bar=false", f"hydra.run.dir={folder}/run"]
        done = subprocess.run(
            [sys.executable, "-m", "zoo.run", "train", *words, *quiet],
            capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": str(threads)},
        )  # fmt: skip
        if done.returncode:
            raise SystemExit(f"fold {fold}, seed {seed} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
        return pd.read_csv(Path(folder) / "run" / "scores.csv").assign(fold=fold, seed=seed)


def order(scores: pd.DataFrame) -> list[str]:
    return list(dict.fromkeys(scores.model))


def summary(by_fold: pd.DataFrame, model: str) -> dict[str, object]:
    row: dict[str, object] = {"model": model}
    for metric in METRICS:
        mine, ours = by_fold.loc[model][metric], by_fold.loc[OURS][metric]
        row[metric] = float(mine.mean())
        difference = ours - mine
        half = float(t.ppf(0.975, len(difference) - 1) * difference.std() / np.sqrt(len(difference)))
        middle = float(difference.mean())
        text = "" if model == OURS else f"{middle:+.3f} [{middle - half:+.3f}, {middle + half:+.3f}]"
        row[f"{OURS} - it, {metric}"] = text
    return row


if __name__ == "__main__":
    main()
