"""How a table of numbers reads: columns and cells as a person wants them, for the report's template.

A column `x` with `x_low` and `x_high` beside it becomes one column of intervals; `bytes` are pictures;
numbers show three significant digits, probabilities `1.2e-05`.
"""

from __future__ import annotations

import base64
import math
import re
import statistics
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

import pandas as pd

from zoo.domain.insight import Table

MAX_ROWS = 500
PROBABILITY = re.compile(r"(^|[\W_])(p|q|e|fdr)([\W_]?value)?$", re.IGNORECASE)
ACRONYMS = {"auroc", "auprc", "mcc", "f1", "mae", "mse", "rmse", "r2", "ic", "pwm", "fdr", "ci", "id", "ism"}
SIGNS = {"diff": "Δ"}


@dataclass(frozen=True)
class Cell:
    text: str = ""
    picture: str = ""  # a data URI
    interval: str = ""  # "[0.731, 0.832]"
    whisker: tuple[float, float, float, float | None] | None = None  # low, value, high, zero: 0..100 along the column
    sort: str = ""  # what sorting by this column compares: a number where it is one


@dataclass(frozen=True)
class Column:
    name: str
    numeric: bool


@dataclass(frozen=True)
class Grid:
    """A table ready to be written down."""

    title: str
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    left_out: int  # rows beyond MAX_ROWS


def grid(table: Table) -> Grid:
    frame = table.frame.head(MAX_ROWS)
    values = {str(name): list(frame.iloc[:, position]) for position, name in enumerate(frame.columns)}
    bounded = [name for name in values if f"{name}_low" in values and f"{name}_high" in values]
    ends = {f"{name}_{end}" for name in bounded for end in ("low", "high")}
    columns, cells = [], []
    for name, column in values.items():
        if name in ends:
            continue
        if name in bounded:
            low, high = values[f"{name}_low"], values[f"{name}_high"]
            cells.append(_intervals(column, low, high, signed=name.endswith("_diff")))
        else:
            cells.append(_cells(column, name))
        columns.append(Column(heading(name), numeric=all(_is_number(value) or value is None for value in column)))
    rows = tuple(zip(*cells, strict=True))
    return Grid(table.title, table.caption, tuple(columns), rows, max(0, len(table.frame) - MAX_ROWS))


def heading(name: str) -> str:
    """`auroc_diff` -> `Δ AUROC`, `covered_sites` -> `covered sites`."""
    words = [word.upper() if word.lower() in ACRONYMS else word for word in re.split(r"[_\s]+", name.strip())]
    if len(words) > 1 and words[-1] in SIGNS:
        words = [SIGNS[words[-1]], *words[:-1]]
    return " ".join(words)


def number(value: Real, name: str = "", places: int | None = None, signed: bool = False) -> str:
    """Three significant digits, or `places` decimals where they keep at least one; `–` for none.

    A probability, by its column's name, has two digits: `0.034`, `1.2e-05`.
    """
    sign = "+" if signed else ""
    if isinstance(value, Integral):
        return _minus(f"{int(value):{sign},}")
    value = float(value)
    size = abs(value)
    if math.isnan(value):
        return "–"
    if math.isinf(value):
        return "−∞" if value < 0 else "∞"
    if size == 0:
        return f"{0:.{places or 0}f}"
    if PROBABILITY.search(name):
        return f"{value:.1e}" if size < 1e-3 else f"{value:.2g}"
    if size >= 1e7 or (size < 1e-3 and not (signed and places)):
        return _minus(f"{value:{sign}.2e}")
    if places is None or (size < 10**-places and not signed):
        places = max(0, 2 - math.floor(math.log10(size)))
    return _minus(f"{value:{sign},.{places}f}")


def _minus(text: str) -> str:
    """A true minus sign before the number, as wide as a plus; an exponent stays as computers write it."""
    return "−" + text[1:] if text.startswith("-") else text


def data_uri(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode()


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _places(values: list) -> int | None:
    """Decimals for a whole column, so that its points stand under each other: three digits for the largest."""
    sizes = [abs(value) for value in values if _is_number(value) and math.isfinite(value)]
    largest = max(sizes, default=0)
    return 3 - min(3, len(str(int(largest)))) if largest >= 1 else 3 if largest >= 0.1 else None


def _cells(values: list, name: str) -> list[Cell]:
    values = [value.item() if hasattr(value, "item") else value for value in values]  # NumPy scalars
    places = _places(values)
    return [_cell(value, name, places) for value in values]


def _cell(value: Any, name: str, places: int | None) -> Cell:
    if isinstance(value, bytes):
        return Cell(picture=data_uri(value))
    if value is None or value is pd.NA or value is pd.NaT:
        return Cell("–")
    if _is_number(value):
        return Cell(number(value, name, places), sort=repr(float(value)))
    if isinstance(value, bool):
        return Cell("yes" if value else "no")
    if isinstance(value, list | tuple | set | frozenset):
        return Cell(", ".join(str(part) for part in value))
    return Cell(str(value))


def _intervals(values: list, lows: list, highs: list, signed: bool) -> list[Cell]:
    """`0.783 [0.731, 0.832]`, drawn on one scale for the whole column, so that rows can be compared by eye."""
    rows = list(zip(values, lows, highs, strict=True))
    places = 3 if _places([*values, *lows, *highs]) in (2, 3, None) else 1
    low_end, high_end = _scale(rows, signed)
    cells = []
    for value, low, high in rows:
        if not all(_is_number(part) and math.isfinite(part) for part in (value, low, high)):
            cells.append(Cell(number(value, places=places, signed=signed) if _is_number(value) else "–"))
            continue
        text, low_text, high_text = (number(part, places=places, signed=signed) for part in (value, low, high))
        whisker = None
        if low_end <= low < high <= high_end:
            low_at, at, high_at, zero = (
                round(100 * (part - low_end) / (high_end - low_end), 1) for part in (low, value, high, 0.0)
            )
            whisker = (low_at, at, high_at, zero if signed else None)
        cells.append(Cell(text, interval=f"[{low_text}, {high_text}]", whisker=whisker, sort=repr(float(value))))
    return cells


def _scale(rows: list, signed: bool) -> tuple[float, float]:
    """From the lowest to the highest end; a row far from the others (a majority vote) does not squeeze them."""
    rows = [row for row in rows if all(_is_number(part) and math.isfinite(part) for part in row) and row[1] < row[2]]
    if not rows:
        return 0.0, 0.0
    middle = statistics.median_low(value for value, _, _ in rows)  # of a row: one at least is near
    reach = 4 * max(high - low for _, low, high in rows)
    near = [row for row in rows if abs(row[0] - middle) <= reach]
    ends = [end for _, low, high in near for end in (low, high)] + ([0.0] if signed else [])
    return min(ends), max(ends)
