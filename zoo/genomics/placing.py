"""Sites of transcription factors written into sequences, and the truth about them: what the generators share."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from zoo.genomics.jaspar import Reference
from zoo.genomics.sequences import Sequences

SITE_COLUMNS = ("sequence", "start", "end", "strand", "name", "matrix_id", "role", "pair", "spacing", "cooperates")


@dataclass(frozen=True)
class Factor:
    """A transcription factor that was planted, and as what: "single", "pair" or "decoy"."""

    role: str
    reference: Reference

    @property
    def name(self) -> str:
        return self.reference.name


@dataclass(frozen=True)
class Pair:
    """Two factors (names) that stand together with `spacing` bases between the end of the first and the second's start.

    opposed: the second is read on the other strand.
    """

    first: str
    second: str
    spacing: int
    opposed: bool = False

    @property
    def name(self) -> str:
        return f"{self.first}+{self.second}"


@dataclass(frozen=True, eq=False)
class Planted:
    """Sequences and the whole truth about them.

    sites: one row for each planted site: sequence (row), start, end (0-based, half-open, + strand), strand, name,
           matrix_id, role, pair ("" if none), spacing (<NA> unless both sites of a pair are there), cooperates.
    pairs: those that make a positive at their spacing. decoy_pairs: those that stand together in both classes alike.
    predictive: names of the factors that tell the classes apart; none where the labels were shuffled.
    """

    sequences: Sequences
    sites: pd.DataFrame
    factors: tuple[Factor, ...]
    pairs: tuple[Pair, ...]
    predictive: tuple[str, ...]
    decoy_pairs: tuple[Pair, ...] = ()


@dataclass(frozen=True)
class PlannedSite:
    """A site inside a block of bases: where it begins, whose it is and how it is read.

    weak: drawn from the square root of the matrix (normalised), which holds about half its information.
    """

    offset: int
    factor: Factor
    forward: bool
    pair: str = ""
    spacing: int | None = None
    cooperates: bool = False
    weak: bool = False

    @property
    def width(self) -> int:
        return len(self.factor.reference.motif)


def together(both: tuple[Factor, ...], bond: Pair, spacing: int, cooperates: bool) -> list[PlannedSite]:
    """A block of both sites, `spacing` bases apart."""
    first = PlannedSite(0, both[0], True, bond.name, spacing, cooperates)
    return [first, PlannedSite(first.width + spacing, both[1], not bond.opposed, bond.name, spacing, cooperates)]


def place(
    row: int, codes: NDArray[np.uint8], blocks: list[list[PlannedSite]], draw: np.random.Generator
) -> list[tuple]:
    """Writes the blocks into codes [L], in random order, places and strands, none overlapping; returns the sites."""
    blocks = [_turned(block) if draw.random() < 0.5 else block for block in blocks]
    blocks = [blocks[i] for i in draw.permutation(len(blocks))]
    widths = [block[-1].offset + block[-1].width for block in blocks]
    starts = np.sort(draw.integers(0, len(codes) - sum(widths) + 1, len(blocks)))  # with the blocks squeezed out
    starts += np.concatenate([[0], np.cumsum(widths)[:-1]]).astype(int)[: len(blocks)]
    rows = []
    for start, block in zip(starts, blocks, strict=True):
        for site in block:
            begin, end = int(start) + site.offset, int(start) + site.offset + site.width
            ppm = _weakened(site.factor.reference.motif.ppm) if site.weak else site.factor.reference.motif.ppm
            bases = (draw.random(site.width)[:, None] >= np.cumsum(ppm, axis=1)[:, :3]).sum(axis=1)
            codes[begin:end] = bases if site.forward else 3 - bases[::-1]
            name, matrix_id = site.factor.name, site.factor.reference.matrix_id
            strand = "+" if site.forward else "-"
            rows.append(
                (row, begin, end, strand, name, matrix_id, site.factor.role, site.pair, site.spacing, site.cooperates)
            )
    return rows


def _weakened(ppm: NDArray[np.float64]) -> NDArray[np.float64]:
    root = np.sqrt(ppm)
    return root / root.sum(axis=1, keepdims=True)


def _turned(block: list[PlannedSite]) -> list[PlannedSite]:
    """The block on the other strand."""
    width = block[-1].offset + block[-1].width
    return [
        replace(site, offset=width - site.offset - site.width, forward=not site.forward) for site in reversed(block)
    ]
