"""Contacts from a sequence alone: the maps, and which attention heads look at contacts without having been told to."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader

from zoo.attention import FullMap, observe
from zoo.domain.insight import Insight, Table
from zoo.proteins.batch import Batch, Example
from zoo.proteins.couplings import apc
from zoo.proteins.insight import told
from zoo.proteins.precision import TOPS, long_range

if TYPE_CHECKING:
    from zoo.proteins.sequence_model import SequencePredictor

SHOWN = 12  # chains whose maps and files are written
HEADS_CAPTION = (
    "Every head of the attention along the sequence. Mean distance: residues between a place and where it looks. "
    "Precision of the head's map alone, both directions, with APC: mean over the chains with a structure."
)


@torch.no_grad()
def explain(model: SequencePredictor, data: pl.LightningDataModule | DataLoader) -> Insight:
    """Of the test part, or of a person's own sequences."""
    loader = data if isinstance(data, DataLoader) else data.test_dataloader()
    model.eval()
    front = model.backbone.residues.in_front
    seen: list[tuple[Example, np.ndarray]] = []
    heads: list[pd.DataFrame] = []
    for batch in loader:
        moved: Batch = model.transfer_batch_to_device(batch, model.device, 0)
        with observe(model.backbone.residues.encoder, maps := FullMap()):
            probabilities = model.probabilities(moved)
        seen += zip(moved.examples, (p.numpy() for p in probabilities), strict=True)
        attention = np.concatenate([m.float().cpu().numpy() for m in maps.result().values()], axis=1)
        attention = attention[:, :, front:, front:]
        heads += [head_rows(a, e) for a, e in zip(attention, moved.examples, strict=True)]
    insight = told(seen, most=SHOWN)
    rows = pd.concat(heads).groupby("head", as_index=False).mean()
    per_layer = len(rows) // len(maps.result())
    rows.insert(0, "layer", rows["head"] // per_layer)
    rows["head"] %= per_layer
    return replace(insight, tables=(*insight.tables, Table("heads", "Heads", rows, HEADS_CAPTION)))


def head_rows(attention: np.ndarray, example: Example) -> pd.DataFrame:
    """One row for each head of all layers, [heads, L, L], of what it gives to residues."""
    length = example.alignment.length
    apart = np.abs(np.subtract.outer(range(length), range(length)))
    rows = []
    for head, whole in enumerate(attention):
        a = whole[:length, :length]
        row: dict[str, float] = {"head": head, "mean distance": float((a * apart).sum() / a.sum())}
        if example.native is not None:
            scores = long_range(apc(a + a.T), example.native)
            row |= {f"long P@{top}": p for top, p in zip(TOPS, scores, strict=True)}
        rows.append(row)
    return pd.DataFrame(rows)
