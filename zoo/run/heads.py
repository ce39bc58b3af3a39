"""`zoo heads RUN`: what each head of a trained model does on the validation part, as tables, figures and a page."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import torch
from rich.progress import track
from torch.utils.data import Subset

from zoo.domain.data import DomainData
from zoo.domain.module import DomainModule
from zoo.heads.page import render_page
from zoo.heads.pictures import alike, heat_table
from zoo.heads.study import HeadStudy, study
from zoo.run import console
from zoo.run.files import write_bytes, write_text

FIGURES = {
    "entropy": "Entropy of the attention, of even attention's",
    "distance": "Mean distance, of even attention's",
    "gate gradient": "Importance: mean |gradient of a gate|",
    "ablation": "Rise of the validation loss without the head",
}


def study_heads(module: DomainModule, data: DomainData, num_batches: int) -> HeadStudy:
    """Of `num_batches` batches drawn from the validation part, which may be sorted."""
    part = data.part("valid")
    order = torch.randperm(len(part), generator=torch.Generator().manual_seed(0)).tolist()
    loader = data.ordered(Subset(part, order))
    batches = [module.transfer_batch_to_device(b, module.device, 0) for b in islice(loader, num_batches)]

    def loss_of(batch):
        outcome = module.outcome(batch)
        return outcome.loss, len(outcome.target)

    def progress(items):
        items = list(items)
        what = "Observing" if items and items[0] is batches[0] else "Switching heads off"
        return track(items, description=what, transient=True)

    return study(module, batches, loss_of, module.token_names, progress=progress)


def write_heads(folder: Path, title: str, found: HeadStudy) -> None:
    """heads.csv, heads_cka.csv, layers_cka.csv, figures, and heads.html."""
    write_text(folder / "heads.csv", found.table.to_csv(index=False))
    write_text(folder / "heads_cka.csv", found.cka.to_csv())
    write_text(folder / "layers_cka.csv", found.layer_cka.to_csv())
    for column, what in FIGURES.items():
        write_bytes(folder / f"{column.replace(' ', '_')}.png", heat_table(found.table, column, what))
    if len(found.cka) > 1:
        known = found.table.dropna(subset="cluster")
        write_bytes(folder / "heads_cka.png", alike(found.cka, known.cluster.astype(int).tolist()))
    of_tokens = found.table[found.table.role != "pooling"]  # a pooling query is no token to be shown
    write_text(folder / "heads.html", render_page(f"Heads of {title}", of_tokens, found.examples))
    keep = ["layer", "head", "role", "entropy", "distance", "agreement", "gate gradient", "ablation", "cluster"]
    console.table("Heads", found.table[keep])
    console.say(f"\nFiles: {folder}\nPage:  {folder / 'heads.html'}")
