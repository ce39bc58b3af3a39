"""Contacts, as the predictor and the attention of each family tell them: maps, RR files, precision by range, heads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytorch_lightning as pl
import torch
from jaxtyping import Float
from torch import Tensor
from torch.utils.data import DataLoader

from zoo.domain.insight import Figure, Insight, Table, file_stems
from zoo.proteins import pictures
from zoo.proteins.batch import LEAST_SEPARATION, Batch, Example, FamilySet, truth
from zoo.proteins.couplings import apc
from zoo.proteins.formats import casp_rr, npy, ranked_pairs
from zoo.proteins.pair_features import COUPLINGS, CouplingMaps
from zoo.proteins.precision import RANGES, TOPS, ceilings, long_range, precisions, scored_pairs
from zoo.proteins.query import query_letters, query_residues

if TYPE_CHECKING:
    from zoo.proteins.model import ContactPredictor

MOST_MAPS = 12  # families or sequences with pictures
MOST_LINES = 10  # of the headline
TABLES = ("heads", "precision")
HEADS_SHOWN = 5
HEADS_LISTED = 20  # of each family
HEAD_CAPTION = (
    f"The {HEADS_LISTED} heads of each family that say most: norm of the values, times how far attention is from "
    "looking everywhere alike. Mean distance: columns between a place and where it looks. Precision of the head's map "
    "alone, both directions, with APC, where a structure is known."
)
SPACE_CAPTION = (
    "The chain through its C-betas, smoothed over five and fainter behind, from the first column (dark) to the last "
    "(yellow), and the best L / 2 pairs of the long range as lines."
)
MAP_CAPTION = (
    "Numbered as read, from 1; what was left out is blank. Above the diagonal the probabilities; below it, with a "
    "structure, native contacts and the best L pairs six apart and more."
)
PRECISION_CAPTION = (
    "Share of contacts (C-beta < 8 A) among the best L, L/2, L/5 pairs, L the number of resolved residues; short 6-11, "
    "medium 12-23, long 24 and more residues apart. The ceiling is what a perfect ranking would have."
)


def baseline_precision(families: FamilySet) -> Mapping[str, Tensor]:
    """What each single-family map reaches alone: a row (P@L, P@L/2, P@L/5) for each family."""
    rows: dict[str, list] = {name: [] for name in COUPLINGS}
    for i, example in enumerate(families.examples):
        found = families.couplings(i)
        for name in COUPLINGS:
            rows[name].append(long_range(found.maps[name], example.native))
    return {name: torch.tensor(values) for name, values in rows.items()}


@torch.no_grad()
def explain(model: ContactPredictor, data: pl.LightningDataModule | DataLoader) -> Insight:
    """Of the test part, or of a person's own alignment."""
    loader = data if isinstance(data, DataLoader) else data.test_dataloader()
    model.eval()
    seen: list[tuple[Example, np.ndarray]] = []
    for batch in loader:
        moved: Batch = model.transfer_batch_to_device(batch, model.device, 0)
        seen += zip(moved.examples, (p.numpy() for p in model.probabilities(moved)), strict=True)
    families: FamilySet = loader.dataset
    return told(seen, [families.couplings(i) for i in range(len(seen))])


def told(
    seen: list[tuple[Example, np.ndarray]], found: Sequence[CouplingMaps] = (), most: int | None = None
) -> Insight:
    """Maps that are made -> tables, figures and files. found: with the heads of each family's own attention. most: how
    many get files of their own; the tables count all."""
    figures: list[Figure] = []
    tables: list[Table] = []
    files: dict[str, str | bytes] = {}
    scores: dict[str, float] = {}
    stems = file_stems((example.name for example, _ in seen[:most]), TABLES)
    drawn = "" if len(seen) <= MOST_MAPS else f" Only the first {MOST_MAPS} of {len(seen):,} have pictures."
    for number, (stem, (example, probability)) in enumerate(zip(stems, seen, strict=False)):
        alignment, native = example.alignment, example.native
        files[f"{stem}.rr"] = casp_rr(probability, *query_residues(alignment), stem)
        pairs = ranked_pairs(probability, query_letters(alignment), alignment.kept, native)
        files[f"{stem}.csv"] = pairs.to_csv(index=False)
        files[f"{stem}.npy"] = npy(probability)
        if number >= MOST_MAPS:
            continue
        unit = "residue" if alignment.depth == 1 else "column"
        picture = pictures.contact_map(probability, example.name, alignment.kept, native, unit)
        figures.append(Figure(f"map_{stem}", f"Contact map, {example.name}", picture, MAP_CAPTION + drawn))
        if native is not None and native.beta is not None:
            picture = pictures.in_space(probability, example.name, native)
            figures.append(
                Figure(f"space_{stem}", f"Predicted on the structure, {example.name}", picture, SPACE_CAPTION)
            )
    if found:
        figures.append(Figure("heads", f"Heads of the attention of {seen[0][0].name}", strongest_heads(found[0])))
        tables.append(Table("heads", "Heads of each family's attention", head_table(seen, found), HEAD_CAPTION))
    judged = [(e, p) for e, p in seen if e.native is not None]
    if judged:
        tables.append(Table("precision", "Precision", precision_table(judged), PRECISION_CAPTION))
        if long := [long_range(p, e.native) for e, p in reaching(judged)]:
            scores = {f"long P@{top}": float(v) for top, v in zip(TOPS, np.mean(long, axis=0), strict=True)}
        p, contact = _all_pairs(judged)
        figures.append(
            Figure("reliability", "Reliability", pictures.reliability(p, contact), "pairs six residues apart and more")
        )
        scores["brier"] = float(((p - contact) ** 2).mean())
    return Insight(headline(seen, judged), tuple(tables), tuple(figures), files, scores)


def precision_table(judged: list[tuple[Example, np.ndarray]]) -> pd.DataFrame:
    """One row for each family; a column for each range and top, and the ceiling of the long range."""
    rows = []
    for example, probability in judged:
        native = example.native
        row: dict[str, object] = {"family": example.name, "resolved": native.num_resolved}
        row |= {f"{p.range} P@{p.top}": p.precision for p in precisions(probability, native)}
        row |= {f"long ceiling @{top}": c for top, c in zip(TOPS, ceilings(native), strict=True)}
        rows.append(row)
    return pd.DataFrame(rows)


def head_table(seen: list[tuple[Example, np.ndarray]], found: Sequence[CouplingMaps]) -> pd.DataFrame:
    """Heads that say most, the first of a family first; with a structure, what the map of each alone would score."""
    rows = []
    for (example, _), maps in zip(seen, found, strict=True):
        length = example.alignment.length
        apart = np.abs(np.subtract.outer(range(length), range(length)))
        said = loudness(maps)
        for head in np.argsort(-said, kind="stable")[:HEADS_LISTED]:
            attention = maps.attention[head]
            row = {"family": example.name, "head": int(head), "says": float(said[head])}
            row |= {"mean distance": float((attention * apart).sum() / length)}
            if example.native is not None:
                both = apc(attention + attention.T)
                row |= {f"long P@{top}": p for top, p in zip(TOPS, long_range(both, example.native), strict=True)}
            rows.append(row)
    return pd.DataFrame(rows)


def loudness(maps: CouplingMaps) -> Float[np.ndarray, " H"]:
    """|V_h| |A_h - flat|: heads start flat, and opposite heads that look alike say nothing together."""
    length = maps.attention.shape[1]
    flat = (1 - np.eye(length)) / (length - 1)
    return maps.gain * np.linalg.norm(maps.attention - flat, axis=(1, 2))


def strongest_heads(maps: CouplingMaps) -> bytes:
    said = loudness(maps)
    best = np.argsort(-said, kind="stable")[:HEADS_SHOWN]
    return pictures.head_maps(maps.attention[best], [f"head {h}, says {said[h]:.1f}" for h in best])


def reaching(judged: list[tuple[Example, np.ndarray]]) -> list[tuple[Example, np.ndarray]]:
    """Those with a pair in the long range; the others have no long-range precision."""
    return [(e, p) for e, p in judged if scored_pairs(e.native, *RANGES["long"]).any()]


def headline(seen: list, judged: list[tuple[Example, np.ndarray]]) -> str:
    if not judged:
        lines = []
        for example, probability in seen[:MOST_LINES]:
            least = RANGES["long"][0] if len(probability) > RANGES["long"][0] else LEAST_SEPARATION
            far = np.triu(probability, least)
            likely = int((far > 0.5).sum())
            i, j = np.unravel_index(far.argmax(), far.shape)
            unit = "residues" if example.alignment.depth == 1 else "columns"
            best = example.alignment.kept[i] + 1, example.alignment.kept[j] + 1
            lines.append(
                f"{example.name}: {likely} pairs {least} {unit} apart and more are in contact with probability above "
                f".5; the likeliest is {best[0]}-{best[1]} ({far[i, j]:.2f}). No structure was given to check against."
            )
        if len(seen) > MOST_LINES:
            lines.append(f"... and {len(seen) - MOST_LINES:,} more.")
        return "\n".join(lines)
    long = reaching(judged)
    if not long:
        return (
            f"No two resolved residues are {RANGES['long'][0]} apart and more: there are no long-range pairs to score."
        )
    mean = np.mean([long_range(p, e.native) for e, p in long], axis=0)
    best = np.mean([ceilings(e.native) for e, _ in long], axis=0)
    shown = ", ".join(f"P@{top} {m:.3f} of {b:.3f}" for top, m, b in zip(TOPS, mean, best, strict=True))
    families = "1 family" if len(long) == 1 else f"{len(long)} families"
    without = f" {len(judged) - len(long)} more have no long-range pair." if len(long) < len(judged) else ""
    return f"Long-range contacts of {families}: {shown} possible.{without}"


def _all_pairs(judged: list[tuple[Example, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """Probability and truth of all known pairs i < j."""
    said, true = [], []
    for example, probability in judged:
        answer = np.triu(np.nan_to_num(truth(example.native, len(probability)), nan=-1.0), 1)
        known = np.triu(~np.isnan(truth(example.native, len(probability))), 1)
        said.append(probability[known])
        true.append(answer[known])
    return np.concatenate(said), np.concatenate(true)
