"""Does the model need the motif? Its sites are destroyed, and so are windows of the same size elsewhere.

A window is destroyed by permuting its own bases, so that composition stays: a model that merely counts G and C loses
nothing (drawing new bases instead would make every GC-rich motif look needed). Short sites are destroyed together with
their neighbours: permuting the bases of TATAAA alone gives something like it too often.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.stats import false_discovery_control, wilcoxon

from zoo.genomics.attribution import logits
from zoo.genomics.motifs import Sites

if TYPE_CHECKING:
    from zoo.genomics.model import PromoterDetector

REPEATS = 4  # different permutations of each window, averaged
MIN_SEQUENCES = 6
MIN_FALL = 0.05  # of the logit: one twentieth of the odds; a model that is nearly constant has no smaller needs
MIN_WIDTH = 12  # bases destroyed, at least


@dataclass(frozen=True)
class Knockout:
    """fall: mean fall of the logit when the bases of the motif's best site (and its neighbours', to `MIN_WIDTH`) are
    permuted. elsewhere: the same for a window of that width at a random place of the same sequence, clear of the sites
    of all motifs at hand where there is room.
    pvalue: one-sided Wilcoxon signed-rank over the sequences that the first fall exceeds the second.
    qvalue: Benjamini-Hochberg over the motifs.
    """

    motif: str
    num_sequences: int
    fall: float
    elsewhere: float
    pvalue: float
    qvalue: float

    @property
    def confirms(self) -> bool:
        """Significant, and more than rounding: the logit falls at least `MIN_FALL` further."""
        return self.qvalue < 0.05 and self.fall - self.elsewhere >= MIN_FALL


def knockouts(
    model: PromoterDetector, codes: np.ndarray, sites: Sites, names: list[str], max_sequences: int = 300, seed: int = 0
) -> list[Knockout]:
    """One record for each motif in `names`. codes: [N, L]; sites: the motifs' sites in them (the best of each
    sequence is destroyed)."""
    rng = np.random.default_rng(seed)
    found = [_knockout(model, codes, sites, name, max_sequences, rng) for name in names]
    qvalues = false_discovery_control([f.pvalue for f in found]) if found else []
    return [
        Knockout(f.motif, f.num_sequences, f.fall, f.elsewhere, f.pvalue, float(q))
        for f, q in zip(found, qvalues, strict=True)
    ]


def _knockout(model, codes, sites, name, max_sequences, rng) -> Knockout:
    mine = np.flatnonzero(np.array(sites.motif, dtype=object) == name)
    best: dict[int, int] = {}
    for i in mine[np.argsort(sites.pvalue[mine], kind="stable")]:
        best.setdefault(int(sites.sequence[i]), int(i))
    rows = np.array(sorted(best), dtype=int)
    if len(rows) > max_sequences:
        rows = np.sort(rng.choice(rows, max_sequences, replace=False))
    if len(rows) < MIN_SEQUENCES:
        return Knockout(name, len(rows), float("nan"), float("nan"), 1.0, 1.0)
    starts = np.array([sites.start[best[r]] for r in rows])
    width = int(sites.end[best[rows[0]]] - starts[0])
    lengths = (codes[rows] < 5).sum(1)
    wide = min(max(width, MIN_WIDTH), int(lengths.min()))
    starts, width = np.clip(starts - (wide - width) // 2, 0, lengths - wide), wide
    whole = logits(model, torch.from_numpy(codes[rows])).numpy()
    at_site = whole - _destroyed(model, codes[rows], starts, width, rng)
    taken = _taken(sites, codes.shape)[rows]
    taken[np.arange(len(rows))[:, None], starts[:, None] + np.arange(width)] = True
    other = [_clear_of(row[:n], int(start), width, rng) for row, start, n in zip(taken, starts, lengths, strict=True)]
    elsewhere = whole - _destroyed(model, codes[rows], np.array(other), width, rng)
    difference = at_site - elsewhere
    pvalue = 1.0 if np.allclose(difference, 0) else float(wilcoxon(difference, alternative="greater").pvalue)
    return Knockout(name, len(rows), float(at_site.mean()), float(elsewhere.mean()), pvalue, pvalue)


def _taken(sites: Sites, shape: tuple[int, int]) -> np.ndarray:
    """bool [N, L]: inside any site."""
    edges = np.zeros((shape[0], shape[1] + 1), dtype=int)
    np.add.at(edges, (sites.sequence, sites.start), 1)
    np.add.at(edges, (sites.sequence, sites.end), -1)
    return edges.cumsum(1)[:, :-1] > 0


def _clear_of(taken: np.ndarray, site: int, width: int, rng: np.random.Generator) -> int:
    """A start for a window that touches nothing taken, or else as little of it as can be, and not the site itself."""
    touched = np.convolve(taken, np.ones(width), mode="valid")
    touched[np.abs(np.arange(len(touched)) - site) < width] += len(taken)
    return int(rng.choice(np.flatnonzero(touched == touched.min())))


def _destroyed(model, codes, starts, width, rng) -> np.ndarray:
    """Logits with the bases of [start, start + width) permuted, mean over the repeats."""
    total = np.zeros(len(codes))
    columns = starts[:, None] + np.arange(width)
    rows = np.arange(len(codes))[:, None]
    for _ in range(REPEATS):
        mutant = codes.copy()
        mutant[rows, columns] = rng.permuted(codes[rows, columns], axis=1)
        total += logits(model, torch.from_numpy(mutant)).numpy()
    return total / REPEATS
