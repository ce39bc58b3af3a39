"""What the commands print."""

from __future__ import annotations

import sys

import pandas as pd
from pytorch_lightning.utilities.rank_zero import rank_zero_only
from rich.console import Console
from rich.markup import escape
from rich.table import Table as RichTable

from zoo.domain.insight import Table
from zoo.run.cells import grid


def say(text: str) -> None:
    """One process of several speaks."""
    if rank_zero_only.rank:
        return
    Console().print(escape(text), highlight=False, soft_wrap=True)


def mistakes(found: list[str]) -> None:
    """One mistake a line, on standard error."""
    print("Nothing was started:" if len(found) > 1 else "Nothing was done:", file=sys.stderr)
    for mistake in found:
        print(f"  {mistake}", file=sys.stderr)


def table(title: str, frame: pd.DataFrame) -> None:
    """As in the report, without its pictures: `x`, `x_low` and `x_high` are one column."""
    read = grid(Table("", "", without_pictures(frame)))
    view = RichTable(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for column in read.columns:
        view.add_column(column.name, justify="right" if column.numeric else "left")
    for row in read.rows:
        view.add_row(*(escape(f"{cell.text} {cell.interval}".strip()) for cell in row))
    Console(width=None if sys.stdout.isatty() else 120).print(view)


def without_pictures(frame: pd.DataFrame) -> pd.DataFrame:
    return frame[[c for c in frame if not frame[c].map(lambda cell: isinstance(cell, bytes)).any()]]
