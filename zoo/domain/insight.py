"""The record in which any domain says what its attention learned: tables, figures and files of the field.

An insight is data only: it holds no model, no logger and no path. `zoo.run` writes it to the run folder,
prints its headline, puts it into the report and sends it to Weights & Biases, without knowing the domain.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

import pandas as pd


@dataclass(frozen=True)
class Table:
    """A table of the insight. A cell that holds `bytes` is a PNG picture (a logo, say)."""

    name: str  # file stem, e.g. "motifs"
    title: str
    frame: pd.DataFrame
    caption: str = ""


@dataclass(frozen=True)
class Figure:
    """A rendered picture of the insight."""

    name: str  # file stem, e.g. "positions"
    title: str
    png: bytes
    caption: str = ""


@dataclass(frozen=True)
class Insight:
    """What the attention of one model says about one set of inputs.

    headline: a few plain lines, printed at the end of a run and first in the report.
    files:    file name -> text or bytes, in the field's own formats (`motifs.meme`, `sites.bed`, `map.npy`, ...).
    scores:   numbers worth following from run to run; logged as `insight/<name>`.
    """

    headline: str
    tables: tuple[Table, ...] = ()
    figures: tuple[Figure, ...] = ()
    files: Mapping[str, str | bytes] = field(default_factory=dict)
    scores: Mapping[str, float] = field(default_factory=dict)


LONGEST_STEM = 80  # letters; file systems stop at 255 bytes, and endings and folders are added


def file_stems(names: Iterable[str], taken: Collection[str] = ()) -> list[str]:
    """A file stem for each name: letters, digits, `.`, `_` and `-` stay, all else becomes `_`; no dot in front, none
    twice (nor one of `taken`), whatever the case of its letters: `a`, `A_2`, `a_3`."""
    used, stems = {stem.lower() for stem in taken}, []
    for name in names:
        plain = re.sub(r"[^A-Za-z0-9._-]+", "_", name).lstrip(".")[:LONGEST_STEM] or "unnamed"
        stem, number = plain, 1
        while stem.lower() in used:
            number += 1
            stem = f"{plain}_{number}"
        used.add(stem.lower())
        stems.append(stem)
    return stems
