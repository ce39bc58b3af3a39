"""A genomics experiment by five-fold, homology-aware cross-validation inside its training and validation parts.

    python -m benchmarks.cross_validation sigma70_shuffled --seeds 1

Every fold is a run of `python train.py experiment=NAME data.fold=K seed=S`, whose own validation part chooses the epoch
and the regressions' strength; the set's test part is not scored. The difference to each regression is paired by
fold; its interval is Student's over the folds (the seeds averaged first), widened for training parts that overlap: the
variance of the mean is (1/K + 1/(K - 1)) times that of a fold (Nadeau & Bengio 2003, equation 8). Stopped, it goes on
with the same command.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import t

from benchmarks.results import FOLDER, Report, options
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
    kept = partial_file(report.name, arguments.overrides)
    scores = pd.read_csv(kept) if kept.is_file() else pd.DataFrame(columns=["model", "fold", "seed"])
    for fold, seed in product(range(FOLDS), range(arguments.seeds)):
        if not ((scores.fold == fold) & (scores.seed == seed)).any():
            done = run(arguments.experiment, fold, seed, arguments.overrides, arguments.threads)
            scores = done if scores.empty else pd.concat([scores, done])
            FOLDER.mkdir(exist_ok=True)
            scores.to_csv(kept, index=False)
            print(f"fold {fold} seed {seed}: {done.set_index('model').auroc.round(3).to_dict()}", flush=True)
    kept.unlink()
    by_fold = scores.groupby(["model", "fold"])[list(METRICS)].mean()
    report.table(
        f"{arguments.experiment}: mean over {FOLDS} folds", [summary(by_fold, model) for model in order(scores)]
    )
    report.write()


def partial_file(name: str, overrides: list[str]) -> Path:
    """Where the folds wait that are done; overrides hold paths and signs that no file name may, so they are hashed."""
    mark = hashlib.sha256("\n".join(overrides).encode()).hexdigest()[:12]
    return FOLDER / f".{name}_{mark}.partial.csv"


def run(experiment: str, fold: int, seed: int, overrides: list[str], threads: int) -> pd.DataFrame:
    with tempfile.TemporaryDirectory() as folder:
        words = [f"experiment={experiment}", f"data.fold={fold}", f"seed={seed}", *overrides, "insight=false"]
        quiet = ["logger=csv", "callbacks.progress=null", "trainer.enable_progress_bar=false", f"run_dir={folder}/run"]
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
        folds = len(difference)
        half = float(t.ppf(0.975, folds - 1) * difference.std() * np.sqrt(1 / folds + 1 / (folds - 1)))
        middle = float(difference.mean())
        text = "" if model == OURS else f"{middle:+.3f} [{middle - half:+.3f}, {middle + half:+.3f}]"
        row[f"{OURS} - it, {metric}"] = text
    return row


if __name__ == "__main__":
    main()
