"""An image experiment by five-fold cross-validation, beside sizes, thumbnails and a square twin.

    python -m benchmarks.image_folds clothing                the folds of data.fold=0 to 4, each image held out once
    python -m benchmarks.image_folds clothing trainer.max_epochs=2 --folds 1      a look at what it costs

Every fold is a run of `python train.py experiment=NAME data.fold=K`, whose own validation part chooses the epoch. The
square twin is what the field would take: timm's vit_tiny shape (12 blocks, width 192, 3 heads, patches of 16) on images
squeezed to squares, trained from scratch on the same folds with the same augmentation and for as many seconds. All
held-out predictions of the five folds together are scored: balanced accuracy, with 95 % intervals of 1,000 bootstrap
draws of the images, paired differences to ours, and the same for portrait, square and landscape images.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd
import timm
import torch
from torch import Tensor, nn
from torchmetrics import MetricCollection
from torchmetrics.classification import MulticlassAccuracy

from benchmarks.results import Report, options
from zoo.domain.scoreboard import scoreboard
from zoo.run.finish import OURS, predict_all
from zoo.run.folder import RunFolder
from zoo.vision.batch import Batch, ImageSet
from zoo.vision.data import ImageData
from zoo.vision.mixing import brought_to, cross_entropy, one_hot
from zoo.vision.split import NUM_FOLDS

TWIN = "timm vit_tiny on squares"


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("experiment")
    parser.add_argument("overrides", nargs="*", metavar="key=value")
    parser.add_argument("--folds", type=int, default=NUM_FOLDS)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--side", type=int, default=192, help="of the twin's squares, pixels (default: %(default)s)")
    arguments = parser.parse_args()
    report = Report(f"image_folds_{arguments.experiment}", arguments)
    found: dict[str, list[Tensor]] = {}
    targets, shapes, seconds = [], [], []
    for fold in range(arguments.folds):
        rows, target, sizes, took = one_fold(fold, arguments)
        seconds.append(took)
        for name, prediction in rows.items():
            found.setdefault(name, []).append(prediction)
        targets.append(target)
        shapes.append(sizes)
        print(f"fold {fold}: {took:.0f} s", {n: _accuracy(p[-1], target) for n, p in found.items()}, flush=True)
    predictions = {name: torch.cat(parts) for name, parts in found.items()}
    target, sizes = torch.cat(targets), torch.cat(shapes)
    metrics = MetricCollection({"balanced": MulticlassAccuracy(predictions[OURS].shape[1], average="macro")})
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
            report.table(f"{name}: {int(keep.sum())} images", [row(r) for _, r in board.iterrows()])
    report.table("Seconds of a fold", [{"fold": i, "training": s} for i, s in enumerate(seconds)])
    report.write()


def row(r: pd.Series) -> dict[str, object]:
    difference = (
        "" if r.model == OURS else f"{r.balanced_diff:+.3f} [{r.balanced_diff_low:+.3f}, {r.balanced_diff_high:+.3f}]"
    )
    return {
        "model": r.model,
        "balanced accuracy": f"{r.balanced:.3f} [{r.balanced_low:.3f}, {r.balanced_high:.3f}]",
        "it - attention": difference,
    }


def one_fold(fold: int, arguments) -> tuple[dict[str, Tensor], Tensor, Tensor, float]:
    """Predictions of each model for the held-out images, their labels and sizes, and the seconds of our training."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "run"
        words = [f"experiment={arguments.experiment}", f"data.fold={fold}", f"seed={arguments.seed}", "logger=csv"]
        quiet = ["callbacks.progress=null", "trainer.enable_progress_bar=false", f"hydra.run.dir={folder}"]
        began = time.time()
        done = subprocess.run(
            [sys.executable, "-m", "zoo.run", "train", *words, *arguments.overrides, *quiet],
            capture_output=True, text=True,
        )  # fmt: skip
        took = time.time() - began
        if done.returncode:
            raise SystemExit(f"fold {fold} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
        run = RunFolder.open(folder)
        model, data = run.model(), run.data()
        data.setup()
        prediction, target = predict_all(model, data.test_dataloader())
        rows = {OURS: prediction, **model.baselines(data)}
        rows[TWIN] = twin(data, model.smoothing, took, arguments)
        sizes = torch.tensor([item.size for item in data.part("test").items])
        return rows, target, sizes, took


def twin(data: ImageData, smoothing: float, seconds: float, arguments) -> Tensor:
    """Trained until `seconds` are over, the learning rate falling with the time; the epoch with the least validation
    loss is kept. Returns probabilities of the test part."""
    torch.manual_seed(arguments.seed)
    classes = len(data.classes)
    model = timm.create_model("vit_tiny_patch16_224", img_size=arguments.side, num_classes=classes, drop_path_rate=0.1)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.98), weight_decay=0.05)
    data._train = data._position = None
    loader, began, best, kept = data.train_dataloader(), time.time(), float("inf"), None
    while (passed := (time.time() - began) / seconds) < 1:
        for batch in loader:
            passed = min(1.0, (time.time() - began) / seconds)
            for group in optimizer.param_groups:
                group["lr"] = 1e-3 * min(1.0, passed / 0.1 + 0.01) * max(0.01, 1 - passed)
            model.train()
            loss = cross_entropy(model(squares(batch, arguments.side)), one_hot(batch.labels, classes), smoothing)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
        probability, target = predicted(model, data, "valid", arguments.side)
        if (loss := float(-probability.gather(1, target[:, None]).log().mean())) < best:
            best, kept = loss, {name: value.clone() for name, value in model.state_dict().items()}
    model.load_state_dict(kept)
    return predicted(model, data, "test", arguments.side)[0]


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
