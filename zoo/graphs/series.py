"""Daily signals of agents, and a graph between them: SupplyGraph's products, or a person's own folder.

Columns are matched to agents by position: two products of SupplyGraph have one name and two series. A person's own must
be headed by the agents' names or ids, in their order.

Axes: T days, n agents, C signals (the first is the one to be forecast).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float

from zoo.domain.errors import InputError
from zoo.graphs.graph import SupplyGraph, build_graph
from zoo.graphs.sources import read_own, read_table

SIGNALS = ("Sales Order", "Production ", "Factory Issue", "Delivery To distributor")  # file stems, blanks included
RELATIONS = ("Plant", "Product Group", "Product Sub-Group", "Storage Location")
MOST = 1e30  # that float32 can hold sums of


@dataclass(frozen=True, eq=False)
class DailySeries:
    """values are at least 0; days follow one another without a gap."""

    graph: SupplyGraph
    dates: pd.DatetimeIndex
    values: Float[np.ndarray, "T n C"]
    signals: tuple[str, ...]


def read_supplygraph(folder: Path) -> DailySeries:
    """The card's files: four signals in units and four kinds of edge, which mean that two products share a plant, a
    group, a sub-group or a storage location. Each kind gets a quarter of a product's attention, shared out by how many
    places a pair has in common."""
    names = pd.read_csv(folder / "Nodes" / "NodesIndex.csv")["Node"].tolist()
    tables = [pd.read_csv(folder / "Temporal Data" / "Unit" / f"{signal}.csv") for signal in SIGNALS]
    count: dict[tuple[int, int, int], float] = {}
    for kind, relation in enumerate(RELATIONS):
        pairs = pd.read_csv(folder / "Edges" / "EdgesIndex" / f"Edges ({relation}).csv")[["node1", "node2"]]
        for a, b in pairs.to_numpy():
            for ends in ((a, b), (b, a)) if a != b else ():
                count[(*ends, kind)] = count.get((*ends, kind), 0) + 1
    supplier, buyer, kinds = np.array(list(count)).T
    together = np.array(list(count.values()))
    total = np.zeros((len(names), len(RELATIONS)))
    np.add.at(total, (buyer, kinds), together)
    weight = together / total[buyer, kinds] / len(RELATIONS)
    graph = build_graph(names, supplier, buyer, kinds, weight, [r.lower() for r in RELATIONS], source=str(folder))
    return _joined(graph, tables, [s.strip().lower() for s in SIGNALS], str(folder))


def read_own_series(folder: Path, signals: Sequence[str], relations: Sequence[str]) -> DailySeries:
    """agents.csv and links.csv (`zoo.graphs.sources`), and for each signal `<signal>.csv`: a date, then one column for
    each agent in the order of agents.csv, headed by its name or id. Raises InputError."""
    graph = read_own(folder, (), relations).graph
    agents = read_table(folder / "agents.csv")
    headings = [[str(x).strip() for x in agents[column]] for column in ("name", "id") if column in agents]
    tables = []
    for signal in signals:
        try:
            tables.append(pd.read_csv(folder / f"{signal}.csv"))
            top = pd.read_csv(folder / f"{signal}.csv", header=None, nrows=1, dtype=str, keep_default_na=False)
        except (OSError, ValueError) as error:
            raise InputError(f"{folder / signal}.csv cannot be read: {' '.join(str(error).split())}") from error
        _check_headings([str(x).strip() for x in top.iloc[0, 1:]], headings, f"{folder}: the columns of {signal}")
    return _joined(graph, tables, signals, str(folder))


def _check_headings(found: list[str], expected: list[list[str]], whose: str) -> None:
    """Of as many columns as there are agents; a wrong number of them is said elsewhere."""
    if len(found) != len(expected[0]) or found in expected:
        return
    if sorted(found) in [sorted(names) for names in expected]:
        raise InputError(f"{whose} are not in the order of agents.csv")
    strange = [name for name in found if not any(name in names for names in expected)] or found
    raise InputError(f"{whose} are headed {', '.join(strange[:3])}: expected the names, or the ids, of agents.csv")


def _joined(graph: SupplyGraph, tables: Sequence[pd.DataFrame], signals: Sequence[str], source: str) -> DailySeries:
    dates = []
    for signal, table in zip(signals, tables, strict=True):
        if table.shape[1] != len(graph) + 1:
            raise InputError(
                f"{source}: {signal} has {table.shape[1] - 1} columns beside the date, for {len(graph)} agents"
            )
        if table.empty:
            raise InputError(f"{source}: {signal} has no days")
        try:
            dates.append(pd.DatetimeIndex(pd.to_datetime(table.iloc[:, 0])))
        except (ValueError, TypeError) as error:
            raise InputError(f"{source}: the first column of {signal} holds something else than dates") from error
        if not table.iloc[:, 1:].dtypes.map(pd.api.types.is_numeric_dtype).all():
            raise InputError(f"{source}: {signal} holds something else than numbers")
    if any(not d.equals(dates[0]) for d in dates):
        raise InputError(f"{source}: the signals have different dates")
    if len(gaps := np.flatnonzero(np.diff(dates[0].to_numpy()) != np.timedelta64(1, "D"))):
        raise InputError(
            f"{source}: after {dates[0][gaps[0]].date()} comes {dates[0][gaps[0] + 1].date()}, not one day on"
        )
    values = np.stack([table.iloc[:, 1:].to_numpy(float) for table in tables], -1)
    if (wrong := ~(values >= 0) | (values > MOST)).any():
        day, agent, signal = np.argwhere(wrong)[0]
        raise InputError(
            f"{source}: {signals[signal]} of {graph.names[agent]!r} on {dates[0][day].date()} is "
            f"{values[day, agent, signal]}: expected a number from 0 to {MOST:.0e}"
        )
    return DailySeries(graph, dates[0], values, tuple(signals))
