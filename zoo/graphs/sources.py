"""A person's own graph: a folder with agents.csv and links.csv, or GraphML; networkx and PyTorch Geometric from Python.

agents.csv   a column `name`; `id`, where names repeat; the model's features; `response`, where it is known
links.csv    `supplier` and `buyer` (ids, or names where there are none); `relation`, where the model knows several;
             `weight`, a share of the buyer's cost (1 if left out; totals above 1 are scaled to 1);
             `direction`: forward, backward (the buyer supplies) or both

Axes: n agents, F features.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from pathlib import Path

import networkx as nx
import numpy as np
import pandas as pd
from torch.utils.data import DataLoader

from zoo.domain.errors import InputError
from zoo.graphs.batch import ScenarioSet, collate
from zoo.graphs.graph import SupplyGraph, as_shares, build_graph
from zoo.graphs.planted import Scenarios

DIRECTIONS = ("forward", "backward", "both")
NAMED = 3  # mistakes of one kind that are shown
TEXT = ("id", "name", "supplier", "buyer", "relation", "direction")  # an agent may be called NA


def input_loader(path: Path, features: Sequence[str], relations: Sequence[str], labelled: bool = False) -> DataLoader:
    """One graph, one scenario. Raises InputError, in one sentence, if it cannot be used."""
    scenario = read_own(Path(path).expanduser(), features, relations, labelled)
    return DataLoader(ScenarioSet([scenario]), batch_size=1, collate_fn=collate)


def read_own(path: Path, features: Sequence[str], relations: Sequence[str], labelled: bool = False) -> Scenarios:
    if not path.exists():
        raise InputError(f"{path}: there is no such file or folder")
    if path.suffix == ".graphml":
        try:
            found = nx.read_graphml(path)
        except Exception as error:  # its XML, its types, its ids
            raise InputError(f"{path} cannot be read as GraphML: {' '.join(str(error).split())}") from error
        graph = from_networkx(found, features, relations, str(path))
        response = _numbers(pd.Series([has.get("response") for _, has in found.nodes(data=True)]), path)
    else:
        folder = path if path.is_dir() else path.parent
        agents, links = read_table(folder / "agents.csv"), read_table(folder / "links.csv")
        graph = from_tables(agents, links, features, relations, str(folder))
        response = _numbers(agents["response"], folder) if "response" in agents else np.full(len(graph), np.nan)
    if labelled and (known := int(np.isfinite(response).sum())) < 2:  # R2 needs two
        raise InputError(f"{path}: {known} agents have a known 'response', and at least 2 are needed to score against")
    return Scenarios(graph, graph.features[None], response[None].astype(np.float32))


def from_tables(
    agents: pd.DataFrame, links: pd.DataFrame, features: Sequence[str], relations: Sequence[str], source: str
) -> SupplyGraph:
    """From two tables, as the head of this file says. Raises InputError."""
    wanted = {"agents": ["name", *features], "links": ["supplier", "buyer"]}
    for name, table in (("agents", agents), ("links", links)):
        if lacking := [c for c in wanted[name] if c not in table]:
            raise InputError(f"{source}: {name} lack the column {', '.join(lacking)}; there are {_few(table.columns)}")
    if agents.empty:
        raise InputError(f"{source}: there are no agents")
    for column in ("name", "id"):
        if column in agents and agents[column].isna().any():
            first = int(np.flatnonzero(agents[column].isna())[0]) + 1
            raise InputError(f"{source}: agent {first} has no {column}")
    for column in features:
        if not pd.api.types.is_numeric_dtype(agents[column]):
            raise InputError(f"{source}: the agents' column {column} holds something else than numbers")
    ids = agents["id"] if "id" in agents else agents["name"]
    if ids.duplicated().any():
        hint = "give each a different id" if "id" in agents else "add a column `id` and use it in links"
        raise InputError(f"{source}: {_few(ids[ids.duplicated()])} stands for several agents: {hint}")
    place = {str(key): i for i, key in enumerate(ids)}
    ends = {end: links[end].astype(str).where(links[end].notna()).map(place) for end in ("supplier", "buyer")}
    for end, found in ends.items():
        if found.isna().any():
            raise InputError(f"{source}: links name a {end} that is no agent: {_few(links[end][found.isna()])}")
    supplier, buyer = (ends[end].to_numpy(int) for end in ("supplier", "buyer"))
    relation = _relation_numbers(links, relations, source)
    weight = _weights(links, source)
    supplier, buyer, relation, weight = _directed(links, supplier, buyer, relation, weight, source)
    with np.errstate(over="ignore"):  # infinity is refused below
        values = agents[list(features)].to_numpy(np.float32)
    graph = build_graph(
        agents["name"].astype(str).tolist(), supplier, buyer, relation, weight, relations, values, features, source
    )
    return as_shares(graph)


def from_networkx(
    graph: nx.Graph, features: Sequence[str], relations: Sequence[str], source: str = "the graph"
) -> SupplyGraph:
    """Edges run from supplier to buyer, both ways if undirected. Node attributes are the features (and `name`), edge
    attributes `relation` and `weight`. Raises InputError."""
    agents = pd.DataFrame([{"id": str(node), "name": str(node), **has} for node, has in graph.nodes(data=True)])
    agents["id"] = [str(node) for node in graph.nodes]
    links = pd.DataFrame(
        [{"supplier": str(a), "buyer": str(b), **has} for a, b, has in graph.edges(data=True)],
        columns=None if graph.number_of_edges() else ["supplier", "buyer"],
    )
    if not graph.is_directed():
        links["direction"] = "both"
    return from_tables(agents, links, features, relations, source)


def from_pyg(data, features: Sequence[str], relations: Sequence[str], names: Sequence[str] | None = None):
    """PyTorch Geometric: `Data` (x, edge_index, edge_weight or edge_attr, edge_type) or `HeteroData` (node types one
    after the other; each edge type's middle name is a relation). Row 0 of edge_index supplies row 1. Raises
    InputError."""
    if hasattr(data, "edge_types"):
        return _from_hetero(data, features, relations, names)
    pairs, weight = _pyg_links(data, "")
    kind = data.get("edge_type")
    return as_shares(
        build_graph(
            names or [str(i) for i in range(data.num_nodes)],
            *pairs,
            np.zeros(len(weight)) if kind is None else kind.cpu().numpy(),
            weight,
            relations,
            None if data.x is None else data.x.cpu().numpy(),
            features,
            "the PyG graph",
        )
    )


def _from_hetero(data, features: Sequence[str], relations: Sequence[str], names: Sequence[str] | None) -> SupplyGraph:
    tables = [data[kind].get("x") for kind in data.node_types] if features else []
    for kind, x in zip(data.node_types, tables, strict=False):
        if x is None or x.ndim != 2 or x.shape[1] != len(features):
            found = "is missing" if x is None else f"has the shape {tuple(x.shape)}"
            raise InputError(f"the PyG graph: x of {kind!r} {found}; expected a column for each of {_few(features)}")
    first, total = {}, 0
    for kind in data.node_types:
        if data[kind].num_nodes is None:
            raise InputError(f"the PyG graph: nobody says how many {kind!r} there are: give it x or num_nodes")
        first[kind], total = total, total + data[kind].num_nodes
    rows: list[tuple[int, int, int, float]] = []
    for key in data.edge_types:
        origin, relation, target = key
        if relation not in relations:
            raise InputError(f"the PyG graph has the relation {relation!r}, and the model knows {_few(relations)}")
        (suppliers, buyers), weights = _pyg_links(data[key], f" of {' '.join(key)}")
        for kind, ends in ((origin, suppliers), (target, buyers)):
            if len(ends) and not 0 <= ends.min() <= ends.max() < data[kind].num_nodes:
                there = data[kind].num_nodes
                raise InputError(f"the PyG graph: {' '.join(key)} join more {kind!r} than the {there} there are")
        number = list(relations).index(relation)
        rows += [
            (a + first[origin], b + first[target], number, w)
            for a, b, w in zip(suppliers.tolist(), buyers.tolist(), weights.tolist(), strict=True)
        ]
    x = np.concatenate([table.cpu().numpy() for table in tables]) if tables else None
    own = [f"{kind} {i}" for kind in data.node_types for i in range(data[kind].num_nodes)]
    columns = zip(*rows, strict=True) if rows else ([], [], [], [])
    return as_shares(build_graph(names or own, *columns, relations, x, features, "the PyG graph"))


def _pyg_links(store, whose: str) -> tuple[np.ndarray, np.ndarray]:
    """Suppliers and buyers, and their weights: 1 where none are given."""
    pairs = store.get("edge_index")
    if pairs is None:
        raise InputError(f"the PyG graph{whose} has no edge_index")
    weight = next((w for w in (store.get("edge_weight"), store.get("edge_attr")) if w is not None), None)
    if weight is None:
        return pairs.cpu().numpy(), np.ones(pairs.shape[1])
    if weight.numel() != pairs.shape[1]:
        raise InputError(
            f"the PyG graph{whose}: weights have the shape {tuple(weight.shape)}; expected one for each of the "
            f"{pairs.shape[1]} edges"
        )
    return pairs.cpu().numpy(), weight.cpu().numpy().reshape(-1)


def read_table(path: Path) -> pd.DataFrame:
    """Words as they stand there; numbers that are left out, or NA, are NaN."""
    try:
        table = pd.read_csv(path, skipinitialspace=True)
        text = pd.read_csv(path, skipinitialspace=True, dtype=str, keep_default_na=False, na_values=[""])
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read as a table: {' '.join(str(error).split())}") from error
    return table.assign(**{column: text[column] for column in TEXT if column in table})


def _relation_numbers(links: pd.DataFrame, relations: Sequence[str], source: str) -> np.ndarray:
    if "relation" not in links:
        if len(relations) > 1:
            raise InputError(f"{source}: links lack the column relation; the model knows {_few(relations)}")
        return np.zeros(len(links), dtype=int)
    number = links["relation"].map({name: i for i, name in enumerate(relations)})
    if number.isna().any():
        strange = _few(links["relation"][number.isna()])
        raise InputError(f"{source}: links have the relation {strange}, and the model knows {_few(relations)}")
    return number.to_numpy(int)


def _weights(links: pd.DataFrame, source: str) -> np.ndarray:
    if "weight" not in links:
        return np.ones(len(links))
    if not pd.api.types.is_numeric_dtype(links["weight"]):
        raise InputError(f"{source}: the links' column weight holds something else than numbers")
    return links["weight"].to_numpy(float)


def _directed(links: pd.DataFrame, supplier, buyer, relation, weight, source: str):
    if "direction" not in links:
        return supplier, buyer, relation, weight
    way = links["direction"].fillna("forward").to_numpy()
    if len(strange := sorted({str(w) for w in way} - set(DIRECTIONS))):
        raise InputError(f"{source}: links have the direction {_few(strange)}; expected {', '.join(DIRECTIONS)}")
    there, back = way != "backward", way != "forward"
    return (
        np.concatenate([supplier[there], buyer[back]]),
        np.concatenate([buyer[there], supplier[back]]),
        np.concatenate([relation[there], relation[back]]),
        np.concatenate([weight[there], weight[back]]),
    )


def _numbers(response: pd.Series, source: Path) -> np.ndarray:
    """NaN where it is not known."""
    found = pd.to_numeric(response, errors="coerce").to_numpy(float)
    if (wrong := (np.isnan(found) & response.notna().to_numpy()) | np.isinf(found)).any():
        raise InputError(
            f"{source}: the agents' column response holds something else than numbers: {_few(response[wrong])}"
        )
    return found


def _few(values: Sequence[Hashable] | pd.Series | pd.Index) -> str:
    unique = list(dict.fromkeys(str(v) for v in values))
    more = f" and {len(unique) - NAMED} more" if len(unique) > NAMED else ""
    return ", ".join(unique[:NAMED]) + more
