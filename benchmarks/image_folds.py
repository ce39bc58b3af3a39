"""An image experiment by five-fold cross-validation, beside sizes, thumbnails, edges and a square twin.

    python -m benchmarks.image_folds clothing                the folds of data.fold=0 to 4, each image held out once
    python -m benchmarks.image_folds clothing trainer.max_epochs=2 --folds 1      a look at what it costs

Every fold is a run of `python train.py experiment=NAME data.fold=K`, whose own validation part chooses the epoch. The
square twin is what the field would take: timm's vit_tiny shape (12 blocks, width 192, 3 heads, patches of 16) on images
squeezed to squares, from scratch on the same folds with the same augmentation, batches and average of weights,
for as many seconds of the processor as our whole run took. All held-out predictions of the folds together are scored:
balanced accuracy, with 95 % intervals of 1,000 bootstrap draws of the images, paired differences to ours, and the same
for portrait, square and landscape images, over the classes that are among them. Folds that are done stay in --runs and
are not made again.
"""

from __future__ import annotations

import copy
import math
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import timm
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torchmetrics import MetricCollection

from benchmarks.results import Report, options
from zoo.domain.scoreboard import scoreboard
from zoo.run.finish import OURS, predict_all
from zoo.run.folder import RunFolder
from zoo.vision.batch import Batch, ImageSet
from zoo.vision.data import ImageData
from zoo.vision.mixing import brought_to, cross_entropy, one_hot
from zoo.vision.scores import BalancedAccuracy
from zoo.vision.split import NUM_FOLDS

TWIN = "timm vit_tiny on squares"


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("experiment")
    parser.add_argument("overrides", nargs="*", metavar="key=value")
    parser.add_argument("--folds", type=int, default=NUM_FOLDS)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--name", help="of the results, where several are made of one experiment")
    parser.add_argument("--runs", default="runs/image_folds", help="where finished folds stay (default: %(default)s)")
    parser.add_argument("--side", type=int, default=96, help="of the twin's squares; 0: no twin (default: %(default)s)")
    arguments = parser.parse_intermixed_args()  # settings before or after the options
    report = Report(f"image_folds_{arguments.name or arguments.experiment}", arguments)
    folder = Path(arguments.runs) / (arguments.name or arguments.experiment)
    asked = {name: getattr(arguments, name) for name in ("experiment", "overrides", "seed")}
    done: list[Fold] = []
    for fold in range(arguments.folds):
        made = kept(folder / f"fold_{fold}.pt", asked, lambda k=fold: trained(k, folder / f"fold_{k}", arguments))
        done.append(Fold(**made))
        tables(report, done)
    for fold in range(arguments.folds if arguments.side else 0):
        path, more = folder / f"fold_{fold}_twin.pt", asked | {"side": arguments.side}
        seconds = done[fold].seconds
        made = kept(path, more, lambda k=fold, s=seconds: {TWIN: twin(folder / f"fold_{k}", s, arguments)})
        done[fold].predictions.update(made)
        tables(report, done)


def tables(report: Report, done: list[Fold]) -> None:
    """Of the models that have all of these folds behind them; where the twin has some of them, of those again."""
    report.tables.clear()
    compare(report, done, "")
    twins = [fold for fold in done if TWIN in fold.predictions]
    if 0 < len(twins) < len(done):
        compare(report, twins, f"folds with the twin ({len(twins)}), ")
    rows = [
        {"fold": i, "CPU seconds of training": fold.seconds}
        | {name: _accuracy(p, fold.target) for name, p in fold.predictions.items() if name in _common(done)}
        for i, fold in enumerate(done)
    ]
    report.table("Folds, accuracy", rows)
    report.write()


def compare(report: Report, folds: list[Fold], which: str) -> None:
    predictions = {name: torch.cat([fold.predictions[name] for fold in folds]) for name in _common(folds)}
    target, sizes = (torch.cat([getattr(fold, name) for fold in folds]) for name in ("target", "sizes"))
    metrics = MetricCollection({"balanced": BalancedAccuracy(predictions[OURS].shape[1])})
    aspect = sizes[:, 1] / sizes[:, 0]
    parts = {
        "all": aspect > 0,
        "portrait": aspect < 0.8,
        "nearly square": (aspect >= 0.8) & (aspect <= 1.25),
        "landscape": aspect > 1.25,
    }
    for name, keep in parts.items():
        if int(keep.sum()) >= 20:
            board = scoreboard({m: p[keep] for m, p in predictions.items()}, target[keep], metrics, reference=OURS)
            report.table(f"{which}{name}: {int(keep.sum())} images", [row(r) for _, r in board.iterrows()])


def _common(folds: list[Fold]) -> list[str]:
    return [name for name in folds[0].predictions if all(name in fold.predictions for fold in folds)]


def row(r: pd.Series) -> dict[str, object]:
    difference = (
        "" if r.model == OURS else f"{r.balanced_diff:+.3f} [{r.balanced_diff_low:+.3f}, {r.balanced_diff_high:+.3f}]"
    )
    return {
        "model": r.model,
        "balanced accuracy": f"{r.balanced:.3f} [{r.balanced_low:.3f}, {r.balanced_high:.3f}]",
        "it - attention": difference,
    }


class Fold(NamedTuple):
    """predictions of each model for the held-out images, their labels and sizes [N, 2], CPU seconds of our training"""

    predictions: dict[str, Tensor]
    target: Tensor
    sizes: Tensor
    seconds: float


def kept(path: Path, asked: dict, make: Callable[[], dict]) -> dict:
    """Made, or found from an earlier call of the same settings."""
    if path.is_file():
        found = torch.load(path, weights_only=True)
        if found.pop("asked") != asked:
            raise SystemExit(f"{path} is of other settings: remove it, or give another --name")
        return found
    made = make()
    torch.save(made | {"asked": asked}, path.with_suffix(".part"))
    path.with_suffix(".part").rename(path)
    return made


def trained(fold: int, folder: Path, arguments) -> dict:
    """A `Fold` of our model and of the baselines."""
    spent = folder / "cpu_seconds"
    if not spent.is_file():
        shutil.rmtree(folder, ignore_errors=True)
        words = [f"experiment={arguments.experiment}", f"data.fold={fold}", f"seed={arguments.seed}", "logger=csv"]
        quiet = ["callbacks.progress=null", "trainer.enable_progress_bar=false", "insight=false"]
        command = [sys.executable, "-m", "zoo.run", "train", *words, *arguments.overrides, *quiet]
        before = children_seconds()
        done = subprocess.run([*command, f"hydra.run.dir={folder}"], capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"fold {fold} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
        spent.write_text(f"{children_seconds() - before:.1f}\n")
    run = RunFolder.open(folder)
    model, data = run.model(), run.data()
    data.setup()
    prediction, target = predict_all(model, data.test_dataloader())
    sizes = torch.tensor([item.size for item in data.part("test").items])
    return Fold({OURS: prediction, **model.baselines(data)}, target, sizes, float(spent.read_text()))._asdict()


def children_seconds() -> float:
    """Of the processor, not of the clock: other work on the machine takes nothing from either model."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def twin(folder: Path, seconds: float, arguments) -> Tensor:
    """Trained until `seconds` of the processor are over, the learning rate falling with them; the epoch whose average
    of the weights has the least validation loss is kept. Returns probabilities of the test part."""
    torch.manual_seed(arguments.seed)
    run = RunFolder.open(folder)
    smoothing, data = run.model().smoothing, own_sizes(run.data(), arguments.side)
    classes = len(data.classes)
    model = timm.create_model("vit_tiny_patch16_224", img_size=arguments.side, num_classes=classes, drop_path_rate=0.1)
    average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.99))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.98), weight_decay=0.05)
    loader, began, best, kept = data.train_dataloader(), time.process_time(), float("inf"), None
    while (passed := (time.process_time() - began) / seconds) < 1:
        for batch in loader:
            passed = min(1.0, (time.process_time() - began) / seconds)
            for group in optimizer.param_groups:
                group["lr"] = 1e-3 * min(1.0, passed / 0.1 + 0.01) * max(0.01, 0.5 + 0.5 * math.cos(math.pi * passed))
            model.train()
            loss = cross_entropy(model(squares(batch, arguments.side)), one_hot(batch.labels, classes), smoothing)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            average.update_parameters(model)
            if passed == 1:
                break
        probability, target = predicted(average, data, "valid", arguments.side)
        if (loss := float(-probability.gather(1, target[:, None]).log().mean())) < best:
            best, kept = loss, {name: value.clone() for name, value in average.state_dict().items()}
    average.load_state_dict(kept)
    return predicted(average, data, "test", arguments.side)[0]


def own_sizes(data: ImageData, side: int) -> ImageData:
    """The same images, splits and augmentation, as many images in a batch, each of about as many pixels as the twin's
    squares have."""
    other = copy.copy(data)
    other.sizing = replace(data.sizing, patch=16, budget=(side // 16) ** 2, scale="fit")
    other.batch_tokens = round(data.batch_tokens * other.sizing.budget / data.sizing.budget)
    other._parts = None
    other._train = other._position = None
    return other


@torch.no_grad()
def predicted(model: nn.Module, data: ImageData, part: str, side: int) -> tuple[Tensor, Tensor]:
    model.eval()
    images: ImageSet = data.part(part)
    batches = list(data.ordered(images))
    return torch.cat([model(squares(b, side)).softmax(-1) for b in batches]), torch.cat([b.labels for b in batches])


def squares(batch: Batch, side: int) -> Tensor:
    return torch.stack([brought_to(image, (side, side)) for image in batch.pixels])


def _accuracy(prediction: Tensor, target: Tensor) -> float:
    return round(float((prediction.argmax(1) == target).float().mean()), 3)


if __name__ == "__main__":
    main()
