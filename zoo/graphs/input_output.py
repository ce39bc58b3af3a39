"""Input-output tables -> shares of cost. Rows sell, columns buy; a column divided by the sector's output is its recipe.

    A_ij = z_ij / x_j  (Leontief's technical coefficients), so that W = A^T in `zoo.graphs.leontief`.

Value added (labour, taxes, capital) becomes agents of its own, one for each kind, with a relation of its own, so that a
wage shock is a shock to one agent. Without it, that share is bought outside the graph.

Axes: n sectors, c commodities, K kinds of value added.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float

from zoo.domain.errors import InputError
from zoo.graphs.graph import SupplyGraph, as_shares, build_graph

MATERIALS = "materials"
BEA_VALUE_ADDED = {"labour": "V001", "taxes": "V002", "capital": "V003"}
MOST_BOUGHT = 1.25  # of output
SMALLEST = 1e-6  # of cost; smaller purchases are left out


@dataclass(frozen=True, eq=False)
class InputOutput:
    """transactions [seller, buyer], in money. value_added: kind -> what each sector pays for it."""

    names: tuple[str, ...]
    transactions: Float[np.ndarray, "n n"]
    output: Float[np.ndarray, " n"]
    value_added: Mapping[str, Float[np.ndarray, " n"]] = field(default_factory=dict)


def cost_shares(table: InputOutput, source: str = "the table") -> SupplyGraph:
    """Left out: sectors without output, purchases below 1e-6 of cost (negative ones among them), and what sectors sell
    to themselves (`net_of_own_use`). Where a sector runs at a loss (a negative surplus) its shares are scaled to 1.

    Raises InputError where a sector buys for more than 1.25 times its output, or none buys from another.
    """
    if MATERIALS in table.value_added:
        raise InputError(f"{source}: {MATERIALS!r} are what sectors buy from each other, not a kind of value added")
    table = net_of_own_use(table)
    live = table.output > 0
    names = [name for name, kept in zip(table.names, live, strict=True) if kept]
    output, z = table.output[live], table.transactions[np.ix_(live, live)]
    parts = {MATERIALS: z / output}
    for kind, paid in table.value_added.items():
        parts[kind] = (paid[live] / output)[None]
    total = sum(np.maximum(part, 0).sum(0) for part in parts.values())
    if (total > MOST_BOUGHT).any():
        worst = int(total.argmax())
        raise InputError(
            f"{source}: {names[worst]!r} buys for {total[worst]:.2f} times its output: rows must sell and columns buy"
        )
    if not (parts[MATERIALS] > SMALLEST).any():
        raise InputError(f"{source}: no sector buys from another")
    rows = []
    for number, part in enumerate(parts.values()):
        seller, buyer = np.nonzero(part > SMALLEST)
        seller_agent = seller if number == 0 else np.full(len(seller), len(names) + number - 1)
        rows += list(zip(seller_agent, buyer, [number] * len(seller), part[seller, buyer], strict=True))
    supplier, buyer, relation, weight = (np.array(x) for x in zip(*rows, strict=True))
    agents = [*names, *table.value_added]
    return as_shares(build_graph(agents, supplier, buyer, relation, weight, tuple(parts), source=source))


def net_of_own_use(table: InputOutput) -> InputOutput:
    """An agent does not supply itself: a sector's sales to itself are taken out of both its purchases and its output.

    The rest of a price's equation is as before: p = a p + rest  <=>  p = rest / (1 - a). So total requirements are
    (I - W)^-1 diag(1 - a_jj), a shock to sector j's cost net of own use, and not the standard (I - W)^-1.
    """
    own = np.diag(table.transactions)
    return replace(table, transactions=table.transactions - np.diag(own), output=table.output - own)


def with_relations(graph: SupplyGraph, relations: Sequence[str]) -> SupplyGraph:
    """The same graph for a model that knows more relations. Raises InputError if it has one that the model lacks."""
    if strange := set(graph.relations) - set(relations):
        raise InputError(f"the graph has the relation {', '.join(sorted(strange))}, which the model does not know")
    shares = np.zeros((len(graph.supplier), len(relations)))
    shares[:, [list(relations).index(r) for r in graph.relations]] = graph.shares
    return replace(graph, shares=shares, relations=tuple(relations))


def read_table(path: Path) -> InputOutput:
    """A person's own table, CSV or xlsx: sector names down the first column and along the first row, and a row
    `output`. Other rows below the square are kinds of value added, each there once. Raises InputError."""
    try:
        frame = pd.read_excel(path, index_col=0) if path.suffix == ".xlsx" else pd.read_csv(path, index_col=0)
    except (OSError, ValueError, ImportError) as error:
        raise InputError(f"{path} cannot be read as a table: {' '.join(str(error).split())}") from error
    names = [str(c) for c in frame.columns]
    rows = [str(r) for r in frame.index]
    if rows[: len(names)] != names or "output" not in rows:
        raise InputError(
            f"{path}: expected the {len(names)} sectors of the first row down the first column, then a row 'output'"
        )
    if twice := sorted({r for r in rows if rows.count(r) > 1}):
        raise InputError(f"{path}: several rows are called {', '.join(twice)}")
    values = frame.apply(pd.to_numeric, errors="coerce").to_numpy(float)
    if len(bad := np.argwhere(~np.isfinite(values))):
        raise InputError(f"{path}: row {rows[bad[0][0]]!r}, column {names[bad[0][1]]!r} is no number")
    extra = {r: values[i] for i, r in enumerate(rows) if i >= len(names) and r != "output"}
    return InputOutput(tuple(names), values[: len(names)], values[rows.index("output")], extra)


def read_wiod(path: Path, year: int, origin: str = "Domestic") -> InputOutput:
    """A national table of WIOD 2016: 56 sectors. Raises InputError if the year is not there."""
    frame = _wiod_sheet(str(path))
    of_year = frame[frame["Year"] == year]
    if of_year.empty:
        raise InputError(f"{path} has the years {frame['Year'].min():.0f} to {frame['Year'].max():.0f}, not {year}")
    rows = of_year[of_year["Origin"] == origin]
    codes = [c for c in rows["Code"] if c in frame.columns]
    z = rows.set_index("Code").loc[codes, codes].to_numpy(float)
    # a sector's row of domestic sales adds up to its output
    return InputOutput(tuple(codes), z, rows.set_index("Code").loc[codes, "GO"].to_numpy(float))


_SHEETS: dict[str, pd.DataFrame] = {}


def _wiod_sheet(path: str) -> pd.DataFrame:
    """Read once: a workbook of 15 years takes many seconds."""
    if path not in _SHEETS:
        frame = pd.read_excel(path, sheet_name="National IO-tables")
        _SHEETS[path] = frame[pd.to_numeric(frame["Year"], errors="coerce").notna()]
    return _SHEETS[path]


def read_bea(use: Path, make: Path) -> InputOutput:
    """Make and Use of the US Bureau of Economic Analysis -> industry by industry, with labour, taxes and capital.

    Industry-technology, fixed industry sales: a commodity comes from industries in the proportions in which they make
    it (Miller & Blair 2009, section 5.6):  Z = D U,  D_ic = make_ic / sum_i make_ic.
    """
    used, made = pd.read_csv(use, index_col=0), pd.read_csv(make, index_col=0)
    industries = [i for i in made.index if i in used.columns and not i.startswith("Total")]
    commodities = [c for c in made.columns if c in used.index and not c.startswith("Total")]
    m = made.loc[industries, commodities].to_numpy(float)
    share = m / np.maximum(m.sum(0), 1e-12)
    u = used.loc[commodities, industries].to_numpy(float)
    paid = {kind: used.loc[row, industries].to_numpy(float) for kind, row in BEA_VALUE_ADDED.items()}
    return InputOutput(
        tuple(industries), share @ u, used.loc["Total Industry Output", industries].to_numpy(float), paid
    )


def read_pymrio(path: Path, output: Float[np.ndarray, " n"] | None = None) -> InputOutput:
    """A flow table of pymrio (two header rows, then region, sector, unit): final demand beside it."""
    z = pd.read_csv(path, sep="\t", header=[0, 1], index_col=[0, 1, 2])
    if output is None:
        final = pd.read_csv(path.with_name("finald_demand_Y.txt"), sep="\t", header=[0, 1], index_col=[0, 1, 2])
        output = z.to_numpy(float).sum(1) + final.to_numpy(float).sum(1)
    return InputOutput(tuple(f"{region} {sector}" for region, sector, _ in z.index), z.to_numpy(float), output)
