"""After training: the test score beside simple baselines, the insight, the report, and what W&B keeps of them."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pandas as pd
import pytorch_lightning as pl
import torch
from omegaconf import OmegaConf
from pytorch_lightning.loggers import Logger
from torch.utils.data import DataLoader

from zoo.domain.errors import InputError
from zoo.domain.insight import Insight, Table
from zoo.domain.module import DomainModule
from zoo.domain.scoreboard import scoreboard
from zoo.run import console, tracking
from zoo.run.files import write_bytes, write_text
from zoo.run.folder import RunFolder, load_weights
from zoo.run.interrupt import signals_kept
from zoo.run.metrics_log import write_out
from zoo.run.report import RunSummary, render_report

OURS = "attention"
HEADLINE = "headline.txt"


def finish(
    run: RunFolder,
    module: DomainModule,
    data: pl.LightningDataModule,
    trainer: pl.Trainer,
    loggers: Sequence[Logger] = (),
    with_insight: bool = True,
) -> None:
    """Score and (`with_insight`) explain the best epoch, and write everything a person reads."""
    load_weights(module, run.best_checkpoint())
    module.eval()
    with signals_kept():
        trainer.test(module, data, verbose=False)
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()  # else every metric of the one that goes on would wait for the rest
    if not trainer.is_global_zero:
        return
    write_out(loggers)
    module.to(trainer.strategy.root_device)  # Lightning leaves it on the CPU
    scores = score(module, data)
    for table in scores:
        write_text(run.path / f"{table.name}.csv", table.frame.to_csv(index=False))
    insight = _insight(module, data) if with_insight else Insight(f"No insight was asked for: zoo explain {run.path}")
    write_insight(run.path / "insight", insight)
    write_report(run, scores, insight)
    for logger in loggers:
        tracking.log_insight(logger, insight, scores)
        tracking.log_model(logger, run.best_checkpoint(), f"{run.config().name}-model")
    show(scores, insight)
    console.say(f"\nReport: {run.path / 'report.html'}\nFiles:  {run.path / 'insight'}")


def _insight(module: DomainModule, data: pl.LightningDataModule) -> Insight:
    try:
        return module.insight(data)
    except InputError as error:  # too few sequences, say: the scores stand all the same
        return Insight(f"No insight: {error}")


def score(
    module: DomainModule, data: pl.LightningDataModule, others: Mapping[str, DomainModule] | None = None
) -> list[Table]:
    """The model beside the domain's baselines on the test part, and again on the parts of it that deserve a look.

    others: more models by name; their mean with `module` is scored then, and each alone beside it.
    """
    prediction, target = predict_all(module, data.test_dataloader())
    rows = {OURS: prediction}
    if others:
        alone = {name: predict_all(other, data.test_dataloader())[0] for name, other in others.items()}
        rows = {OURS: torch.stack([prediction, *alone.values()]).mean(0), "the first alone": prediction, **alone}
    rows |= module.baselines(data)
    metrics = module.new_metrics()
    tables = [Table("scores", "Test scores", scoreboard(rows, target, metrics, reference=OURS), INTERVALS)]
    for name, keep in module.test_parts(data).items():
        if 0 < int(keep.sum()) < len(keep):
            part = scoreboard({k: v[keep] for k, v in rows.items()}, target[keep], metrics, reference=OURS)
            stem = "scores_" + "".join(c if c.isalnum() else "_" for c in name)
            tables.append(Table(stem, f"Test scores, {name} ({int(keep.sum())} of {len(keep)})", part, INTERVALS))
    return tables


INTERVALS = "95 % intervals from 1,000 bootstrap draws of the test examples, the same draws for every row."


@torch.no_grad()
def predict_all(module: DomainModule, loader: DataLoader) -> tuple[torch.Tensor, torch.Tensor]:
    """Prediction and target of every example, on the CPU."""
    outcomes = [module.outcome(module.transfer_batch_to_device(batch, module.device, 0)) for batch in loader]
    return torch.cat([o.prediction.cpu() for o in outcomes]), torch.cat([o.target.cpu() for o in outcomes])


def check_insight_folder(folder: Path) -> None:
    """Raises InputError where an insight must not be written."""
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir()) and not (folder / HEADLINE).is_file()):
        raise InputError(f"{folder} exists and holds something else than an insight: name a new folder")


def write_insight(folder: Path, insight: Insight) -> None:
    """Tables as CSV (pictures left out), figures as PNG, the field's own files as they are.

    The folder appears as a whole. An earlier insight in its place is replaced; anything else is not touched.
    Raises InputError if `folder` holds something else.
    """
    check_insight_folder(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as scratch:
        new, old = Path(scratch) / "new", Path(scratch) / "old"
        for name, content in insight.files.items():
            (write_bytes if isinstance(content, bytes) else write_text)(new / name, content)
        for figure in insight.figures:
            write_bytes(new / f"{figure.name}.png", figure.png)
        for table in insight.tables:
            for picture, png in _pictures(table):
                write_bytes(new / picture, png)
            write_text(new / f"{table.name}.csv", console.without_pictures(table.frame).to_csv(index=False))
        write_text(new / HEADLINE, insight.headline + "\n")
        if folder.exists():
            folder.rename(old)
        new.rename(folder)


def _pictures(table: Table) -> Iterator[tuple[str, bytes]]:
    """`motifs/1-TGACTCA_logo.png`: each picture in a table, named by its row's first cell and its column."""
    for _, row in table.frame.iterrows():
        for column, cell in row.items():
            if isinstance(cell, bytes):
                stem = re.sub(r"[^\w.-]+", "_", f"{row.iloc[0]}_{column}")
                yield f"{table.name}/{stem}.png", cell


def write_report(run: RunFolder, scores: list[Table], insight: Insight | None, path: Path | None = None) -> None:
    path = run.path / "report.html" if path is None else path
    metrics = pd.read_csv(run.metrics_file) if run.metrics_file.is_file() else pd.DataFrame({"step": [], "epoch": []})
    made = run.environment()
    summary = RunSummary(
        name=str(run.config().get("name", run.path.name)),
        command=made.pop("command", ""),
        config_yaml=OmegaConf.to_yaml(run.config()),
        environment=made,
        metrics=metrics,
        best_step=_best_step(run),
        scores=scores,
        insight=insight,
        files=sorted(
            str(p.relative_to(path.parent)) for p in path.parent.rglob("*") if p.is_file() and "wandb" not in p.parts
        ),
    )
    write_text(path, render_report(summary))


def _best_step(run: RunFolder) -> int:
    return int(torch.load(run.best_checkpoint(), map_location="cpu", weights_only=True)["global_step"])


def show(scores: list[Table], insight: Insight) -> None:
    for table in scores:
        keep = [c for c in table.frame if not str(c).endswith(("_diff", "_diff_low", "_diff_high"))]
        console.table(f"\n{table.title}", table.frame[keep])
    console.say("\n" + insight.headline)
