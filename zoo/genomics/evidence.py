"""How often each kind of evidence lands on sites that are known to matter, and what each head looks at."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch
from Bio.Seq import Seq
from Bio.SeqUtils import nt_search

from zoo.genomics.attribution import Attention, best_windows, coverage, mutagenesis
from zoo.genomics.motifs import Sites
from zoo.genomics.sequences import PAD

if TYPE_CHECKING:
    from zoo.genomics.model import PromoterDetector

WINDOW = 15  # bases
MUTAGENESIS_PASSES = 30_000  # forward passes that mutagenesis may cost; decides how many sequences it sees

KnownSites = list[list[tuple[int, int]]]  # for each sequence, [start, end) of its sites


def known_sites(texts: list[str], site: str) -> KnownSites:
    """Where the IUPAC pattern `site` stands in each sequence, on either strand."""
    patterns = {site.upper(), str(Seq(site.upper()).reverse_complement())}
    return [
        sorted({(start, start + len(site)) for p in patterns for start in nt_search(text, p)[1:]}) for text in texts
    ]


def mutagenesis_budget(model: PromoterDetector, length: int) -> int:
    """Of how many sequences of `length` bases the mutagenesis can be paid."""
    return MUTAGENESIS_PASSES // (3 * max(1, length) * (2 if model.strands == "both" else 1))


def site_coverage(
    model: PromoterDetector, codes: np.ndarray, seen: Attention, sites: KnownSites, seed: int = 0
) -> pd.DataFrame:
    """Share of sequences whose best window of 15 bases holds a known site whole, one row for each kind of evidence.

    Sequences without a site are left out. A window at a random place is the floor. Mutagenesis is dear, so all rows
    are taken over the same sequences, as many as its budget allows; where it allows none, its row is left out.
    """
    width = max(WINDOW, max((b - a for where in sites for a, b in where), default=0))
    having = np.flatnonzero([len(where) > 0 for where in sites])
    budget = mutagenesis_budget(model, codes.shape[1])
    if 0 < budget < len(having):
        having = np.sort(np.random.default_rng(seed).choice(having, budget, replace=False))
    if len(having) == 0:
        return pd.DataFrame(columns=["evidence", "coverage", "sequences"])
    chosen = [sites[i] for i in having]
    present = torch.from_numpy(codes[having] != PAD)
    tracks = {
        "attention x gradient": seen.score[having],
        "raw attention": seen.raw[having],
    }
    if budget:
        tracks["mutagenesis"] = mutagenesis(model, torch.from_numpy(codes[having]))
    rows = [
        (name, coverage(best_windows(track, width, present).tolist(), width, chosen), len(having))
        for name, track in tracks.items()
    ]
    rng = np.random.default_rng(seed)
    lengths = present.sum(1).numpy()
    chance = np.mean(
        [coverage(rng.integers(0, np.maximum(1, lengths - width + 1)).tolist(), width, chosen) for _ in range(100)]
    )
    return pd.DataFrame(
        [*rows, ("random window", float(chance), len(having))], columns=["evidence", "coverage", "sequences"]
    )


def head_name(layer: str, head: int) -> str:
    """`blocks.1 head 3`, heads counted from 1."""
    return f"{layer.removeprefix('backbone.').removesuffix('.attention')} head {head + 1}"


def heads_by_motif(seen: Attention, sites: Sites, names: list[str], lengths: np.ndarray) -> pd.DataFrame:
    """One row for each head: how much denser its evidence is inside a motif's sites than over their whole sequences.

    1 means that the head does not care; the column `share` is the head's part of all absolute evidence. Evidence is
    attention x gradient; negative evidence counts as none.
    """
    total = sum(float(track.abs().sum()) for track in seen.heads.values())
    rows = []
    for (layer, head), track in seen.heads.items():
        positive = track.clamp(min=0).numpy()
        row: dict[str, object] = {
            "layer": layer.removeprefix("backbone."),
            "head": head,
            "share": float(track.abs().sum()) / max(total, 1e-12),
        }
        for name in names:
            row[name] = _density(positive, sites, name, lengths)
        rows.append(row)
    return pd.DataFrame(rows)


def _density(track: np.ndarray, sites: Sites, name: str, lengths: np.ndarray) -> float:
    inside = np.zeros(track.shape, dtype=bool)
    for i in np.flatnonzero(np.array(sites.motif, dtype=object) == name):
        inside[sites.sequence[i], sites.start[i] : sites.end[i]] = True
    holders = inside.any(1)
    if not holders.any():
        return float("nan")
    everywhere = track[holders].sum() / lengths[holders].sum()
    return float(track[inside].mean() / max(everywhere, 1e-12))
