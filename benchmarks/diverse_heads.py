"""Do the losses that ask heads to differ change how alike heads are, and at what price?

    python -m benchmarks.diverse_heads [--seeds 5] [--num-sequences 4000] [--epochs 10]

Planted promoters, the default model with 8 heads a layer. For each seed a model is trained without, with the
subspace loss and with the output loss, on the same data and order of batches. Reported on the validation part, at the
best epoch: AUROC, and the mean unbiased CKA between two heads of one layer; paired differences to "none" with their
95 % interval over seeds (Student's t).
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytorch_lightning as pl
import torch
from hydra import compose, initialize_config_dir
from rich.progress import track

from benchmarks.over_runs import student
from zoo.attention import observe
from zoo.heads.diversity import DiverseHeads
from zoo.heads.features import HeadKernels
from zoo.run.checkpoints import BestCheckpoint
from zoo.run.folder import load_weights
from zoo.run.instantiate import build
from zoo.run.paths import conf_dir
from zoo.run.train import quiet

LOSSES = {"none": None, "subspaces": "subspaces", "outputs": "outputs"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--num-sequences", type=int, default=4000)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--weight", type=float, default=0.1)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/diverse_heads.json"))
    arguments = parser.parse_args()
    quiet()
    rows = []
    for seed in track(range(arguments.seeds), description="Seeds"):
        for name, loss in LOSSES.items():
            rows.append({"seed": seed, "loss": name, **run(seed, loss, arguments)})
            print(rows[-1], flush=True)
    table = pd.DataFrame(rows)
    summary = summarise(table)
    print(summary.to_string(index=False))
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    settings = {name: value for name, value in vars(arguments).items() if name != "out"}
    found = {"settings": settings, "runs": rows, "summary": summary.to_dict("records")}
    arguments.out.write_text(json.dumps(found, indent=1))


def run(seed: int, loss: str | None, arguments: argparse.Namespace) -> dict[str, float]:
    with initialize_config_dir(str(conf_dir()), version_base="1.3"), tempfile.TemporaryDirectory() as scratch:
        cfg = compose("train", [
            f"seed={seed}", f"data.num_sequences={arguments.num_sequences}",
            f"trainer.max_epochs={arguments.epochs}", "backbone.num_heads=8", f"run_dir={scratch}", "logger=none",
        ])  # fmt: skip
        pl.seed_everything(seed, workers=True, verbose=False)
        data, module = build(cfg.data), build(cfg.model)
        best = BestCheckpoint(scratch, cfg.monitor.metric, cfg.monitor.mode)
        extra = [] if loss is None else [DiverseHeads(arguments.weight, loss)]
        trainer = pl.Trainer(
            max_epochs=arguments.epochs, callbacks=[best, *extra], logger=False, enable_progress_bar=False,
            enable_model_summary=False, gradient_clip_val=1.0, num_sanity_val_steps=0, use_distributed_sampler=False,
            accelerator="auto", devices=1,
        )  # fmt: skip
        trainer.fit(module, data)
        load_weights(module, Path(best.best_model_path))
    kernels = HeadKernels()
    module.eval()
    with torch.no_grad():
        for batch in data.val_dataloader():
            with observe(module, kernels):
                module(batch.codes)
            kernels.close(len(batch.codes))
    cka = kernels.heads.result().numpy()
    layer = np.array([name for name, _ in kernels.names])
    pairs = (layer[:, None] == layer) & ~np.eye(len(layer), dtype=bool)
    return {"auroc": float(best.best_model_score), "cka": float(np.nanmean(cka[pairs]))}


def summarise(table: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for name in LOSSES:
        mine = table[table.loss == name].set_index("seed")
        row = {"loss": name, "auroc": mine.auroc.mean(), "cka": mine.cka.mean()}
        if name != "none":
            base = table[table.loss == "none"].set_index("seed")
            for column in ("auroc", "cka"):
                mean, low, high = student(mine[column] - base[column])
                row[f"{column} difference"] = f"{mean:+.3f} [{low:+.3f}, {high:+.3f}]"
        rows.append(row)
    return pd.DataFrame(rows)


if __name__ == "__main__":
    main()
