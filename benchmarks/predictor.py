"""The contact predictor across families: whole families held out, attention over the pair map beside a dilated CNN.

    zoo datasets fetch kortemme-covariation
    python -m benchmarks.predictor [--folds 4] [--seeds 3] [--epochs 30] [--shuffled]

It can be stopped and goes on with the same command; with more `--seeds` it adds those that lack.

Each of the 28 families is tested once, by models that saw neither it nor any family of its part of the
cross-validation; families of its structural fold they may have seen, as parts are dealt out over SCOP classes. The
epoch is chosen on validation families that are drawn from the rest, so no epoch is chosen on what is scored. The
features are another matter: they were adopted after precision on validation families rose in three folds, and these
are test families of other folds (8 of the 28 validate in one of the four folds). All other settings are those of
`conf/experiment/contacts.yaml`. The seeds' probabilities are averaged. The CNN reads the same features in one row,
and the sceptic's (mean field, mutual information, separation, conservation, depth) in another. 95 % bootstrap intervals
over families; differences are paired, to the sceptic's CNN.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from pathlib import Path

import numpy as np
import pytorch_lightning as pl
import torch
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf
from sklearn.metrics import brier_score_loss

from benchmarks.results import FOLDER, Report, options
from zoo.proteins.batch import truth
from zoo.proteins.data import Families
from zoo.proteins.families import TUNING
from zoo.proteins.pair_features import COUPLINGS, FEATURES, FORMAT, PLAIN
from zoo.proteins.pair_map import PairMap
from zoo.proteins.pictures import reliability
from zoo.proteins.precision import TOPS, ceilings, compared, long_range
from zoo.run.checkpoints import BestCheckpoint
from zoo.run.folder import load_weights
from zoo.run.instantiate import build
from zoo.run.paths import conf_dir
from zoo.run.train import quiet

CNN = "dilated CNN, the sceptic's features"
SAME = "dilated CNN, same features"
ROWS = {"attention over the pair map": "pair_map", SAME: "pair_cnn", CNN: "pair_cnn"}
SCEPTIC = ("mean field", "mutual information", *PLAIN)
BLIND = tuple(i for i, name in enumerate(FEATURES) if name not in SCEPTIC)


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--folds", type=int, default=4)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--shuffled", action="store_true", help="the control: columns dealt out anew")
    arguments = parser.parse_args()
    quiet()
    report = Report("predictor_shuffled" if arguments.shuffled else "predictor", arguments)
    precision: dict[str, dict[str, tuple]] = {}
    said: list[np.ndarray] = []
    true: list[np.ndarray] = []
    for fold in range(arguments.folds):
        found, data = tested(fold, arguments)
        families = data.part("test")
        for i, example in enumerate(families.examples):
            native = example.native
            add(precision, "ceiling", example.name, ceilings(native))
            for name in COUPLINGS:
                add(precision, name, example.name, long_range(families.couplings(i).maps[name], native))
            for name, maps in found.items():
                add(precision, name, example.name, long_range(maps[i], native))
            answer = truth(native, len(native.place))
            known = np.triu(~np.isnan(answer), 1)
            said.append(found["attention over the pair map"][i][known])
            true.append(answer[known])
    report.table("Long-range precision", summary(precision), "95 % intervals over families; differences are paired")
    learned = {method: of for method, of in precision.items() if method in (*ROWS, "ceiling")}
    report.table("The same, beside the CNN with the same features", summary(learned, SAME), "paired differences to it")
    untouched = {method: {f: v for f, v in of.items() if f not in TUNING} for method, of in precision.items()}
    report.table(
        "Long-range precision, without the six families that family attention was tuned on",
        summary(untouched),
        "the same models",
    )
    probability, contact = np.concatenate(said), np.concatenate(true)
    report.table("Calibration of attention over the pair map", calibration(probability, contact))
    (FOLDER / f"{report.name}_reliability.png").write_bytes(reliability(probability, contact))
    report.write()


def add(precision: dict, method: str, family: str, values: tuple) -> None:
    precision.setdefault(method, {})[family] = tuple(float(v) for v in values)


def tested(fold: int, arguments) -> tuple[dict[str, list[np.ndarray]], Families]:
    """Of each model, the mean probabilities over seeds for the families of the fold."""
    found = {
        name: [run(fold, seed, backbone, name == CNN, arguments) for seed in range(arguments.seeds)]
        for name, backbone in ROWS.items()
    }
    data = build(composed(fold, 0, "pair_map", arguments).data)
    return {name: [np.mean(maps, 0) for maps in zip(*seeds, strict=True)] for name, seeds in found.items()}, data


class Without(PairMap):
    """A map that does not see some features: they are zero, whatever training adds to them."""

    def __init__(self, inner: PairMap, hidden: tuple[int, ...]):
        super().__init__(inner.features, inner.dim)
        self.inner = inner
        self.register_buffer("seen", torch.ones(inner.features, 1, 1).index_fill(0, torch.tensor(hidden), 0.0))

    def forward(self, features: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
        return self.inner(features * self.seen, present)


def composed(fold: int, seed: int, backbone: str, arguments) -> DictConfig:
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        return compose("train", [
            "experiment=contacts", f"seed={seed}", f"data.fold={fold}", f"data.num_folds={arguments.folds}",
            f"data.shuffle_columns={arguments.shuffled}", f"backbone={backbone}", "logger=none",
        ])  # fmt: skip


def run(fold: int, seed: int, backbone: str, blind: bool, arguments) -> list[np.ndarray]:
    """One training: its probabilities for the families of the fold, kept by all that they depend on."""
    cfg = composed(fold, seed, backbone, arguments)
    data, model = (OmegaConf.to_container(part, resolve=True) for part in (cfg.data, cfg.model))
    plan = json.dumps([data, model, seed, blind, arguments.epochs, FEATURES, FORMAT])
    file = FOLDER / ".predictor" / f"{hashlib.sha256(plan.encode()).hexdigest()[:24]}.npz"
    if not file.is_file():
        maps, score = trained(cfg, blind, arguments.epochs)
        file.parent.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(file, *maps)
        print(f"fold {fold}, seed {seed}, {backbone}{', blind' if blind else ''}: {score:.4f}", flush=True)
    with np.load(file) as kept:
        return [kept[name] for name in kept.files]


def trained(cfg: DictConfig, blind: bool, epochs: int) -> tuple[list[np.ndarray], float]:
    """The test part's probabilities at the best epoch, and its validation loss."""
    pl.seed_everything(cfg.seed, workers=True, verbose=False)
    data, module = build(cfg.data), build(cfg.model)
    if blind:
        module.backbone = Without(module.backbone, BLIND)
    with tempfile.TemporaryDirectory() as scratch:
        best = BestCheckpoint(scratch, "valid/loss", "min")
        trainer = pl.Trainer(
            max_epochs=epochs, callbacks=[best], logger=False,
            enable_progress_bar=False, enable_model_summary=False, gradient_clip_val=1.0, num_sanity_val_steps=0,
            use_distributed_sampler=False, accelerator="auto", devices=1,
        )  # fmt: skip
        trainer.fit(module, data)
        load_weights(module, Path(best.best_model_path))
    module.eval()
    maps = []
    with torch.no_grad():
        for batch in data.test_dataloader():
            maps += [p.numpy() for p in module.probabilities(batch)]
    return maps, float(best.best_model_score)


def summary(precision: dict[str, dict[str, tuple]], reference: str = CNN) -> list[dict]:
    names = sorted(precision["ceiling"])
    rows = {method: [values[name] for name in names] for method, values in precision.items()}
    best = np.mean(rows.pop("ceiling"), axis=0)
    cells = []
    for _, row in compared(rows, reference=reference).iterrows():
        cell = {"method": row["model"]}
        cell |= {
            f"P@{top}": f"{row[f'P@{top}']:.3f} [{row[f'P@{top}_low']:.3f}, {row[f'P@{top}_high']:.3f}]" for top in TOPS
        }
        same = row["model"] == reference
        interval = f"{row['P@L_diff']:+.3f} [{row['P@L_diff_low']:+.3f}, {row['P@L_diff_high']:+.3f}]"
        cells.append({**cell, "difference at L": "" if same else interval})
    ceiling = {f"P@{top}": f"{b:.3f}" for top, b in zip(TOPS, best, strict=True)}
    return [*cells, {"method": "ceiling", **ceiling, "difference at L": ""}]


def calibration(said: np.ndarray, true: np.ndarray, bins: int = 10) -> list[dict]:
    which = np.minimum((said * bins).astype(int), bins - 1)
    rows = [
        {"probability": f"{b / bins:.1f} to {(b + 1) / bins:.1f}", "pairs": int((which == b).sum()),
         "predicted": float(said[which == b].mean()), "in contact": float(true[which == b].mean())}
        for b in range(bins) if (which == b).any()
    ]  # fmt: skip
    mean = {"predicted": float(said.mean()), "in contact": float(true.mean())}
    brier = brier_score_loss(true, said)
    return [*rows, {"probability": f"all; Brier score {brier:.4f}", "pairs": len(said), **mean}]


if __name__ == "__main__":
    main()
