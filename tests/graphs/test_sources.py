"""A person's own graphs: read in every form to the same graph, or refused in one sentence."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pandas as pd
import pytest

from zoo.domain.errors import InputError
from zoo.graphs.graph import as_shares, build_graph
from zoo.graphs.sources import from_networkx, from_pyg, from_tables, read_own

AGENTS = pd.DataFrame({"id": ["1", "2", "3"], "name": ["mill", "mill", "bakery"], "shock": [1.0, 0.0, -2.0]})
LINKS = pd.DataFrame(
    {"supplier": ["1", "3", "2"], "buyer": ["2", "1", "3"], "relation": ["flour", "power", "flour"],
     "weight": [0.5, 0.25, 0.6], "direction": ["forward", "backward", "both"]}
)  # fmt: skip
KINDS = ("flour", "power")


def read(agents=AGENTS, links=LINKS, relations=KINDS, features=("shock",)):
    return from_tables(agents, links, features, relations, "here")


def test_names_may_repeat_and_direction_says_who_supplies():
    graph = read()
    assert graph.names == ("mill", "mill", "bakery")
    expected = np.zeros((3, 3))
    expected[1, 0], expected[1, 2], expected[2, 1], expected[2, 0] = 0.5 / 1.1, 0.6 / 1.1, 0.6, 0.25
    np.testing.assert_allclose(graph.matrix(), expected)
    assert graph.features.tolist() == [[1], [0], [-2]]


def test_totals_above_one_are_scaled_to_one_and_others_kept():
    graph = as_shares(build_graph("abc", [0, 1, 0], [2, 2, 1], [0, 0, 0], [3, 1, 0.2], ["sells"]))
    np.testing.assert_allclose(graph.matrix(), [[0, 0, 0], [0.2, 0, 0], [0.75, 0.25, 0]])


def test_csv_networkx_and_pyg_give_the_same_graph(tmp_path):
    AGENTS.to_csv(tmp_path / "agents.csv", index=False)
    LINKS.to_csv(tmp_path / "links.csv", index=False)
    expected = read()
    net = nx.MultiDiGraph()
    for row in AGENTS.itertuples():
        net.add_node(row.id, name=row.name, shock=row.shock)
    rows = [("1", "2", "flour", 0.5), ("1", "3", "power", 0.25), ("2", "3", "flour", 0.6), ("3", "2", "flour", 0.6)]
    for supplier, buyer, relation, weight in rows:
        net.add_edge(supplier, buyer, relation=relation, weight=weight)
    nx.write_graphml(net, tmp_path / "net.graphml")
    found = [
        read_own(tmp_path, ["shock"], KINDS).graph,
        read_own(tmp_path / "links.csv", ["shock"], KINDS).graph,
        read_own(tmp_path / "net.graphml", ["shock"], KINDS).graph,
        from_networkx(net, ["shock"], KINDS),
    ]
    torch = pytest.importorskip("torch")
    pyg = pytest.importorskip("torch_geometric.data")
    found.append(
        from_pyg(
            pyg.Data(
                x=torch.tensor([[1.0], [0.0], [-2.0]]),
                edge_index=torch.tensor([[0, 0, 1, 2], [1, 2, 2, 1]]),
                edge_weight=torch.tensor([0.5, 0.25, 0.6, 0.6]),
                edge_type=torch.tensor([0, 1, 0, 0]),
            ),
            ["shock"],
            KINDS,
            AGENTS.name.tolist(),
        )
    )
    hetero = pyg.HeteroData()
    hetero["mill"].x, hetero["bakery"].x = torch.tensor([[1.0], [0.0]]), torch.tensor([[-2.0]])
    for key, pairs, weights in (
        (("mill", "flour", "mill"), [[0], [1]], [0.5]),
        (("mill", "power", "bakery"), [[0], [0]], [0.25]),
        (("mill", "flour", "bakery"), [[1], [0]], [0.6]),
        (("bakery", "flour", "mill"), [[0], [1]], [0.6]),
    ):
        hetero[key].edge_index, hetero[key].edge_weight = torch.tensor(pairs), torch.tensor(weights)
    found.append(from_pyg(hetero, ["shock"], KINDS, AGENTS.name.tolist()))
    for graph in found:
        np.testing.assert_allclose(graph.shares, expected.shares, atol=1e-6)
        assert np.array_equal(graph.supplier, expected.supplier) and np.array_equal(graph.buyer, expected.buyer)
        assert graph.names == expected.names and np.array_equal(graph.features, expected.features)


def hetero_of(x: dict, **edge) -> object:
    torch, pyg = pytest.importorskip("torch"), pytest.importorskip("torch_geometric.data")
    data = pyg.HeteroData()
    for kind, table in x.items():
        data[kind].num_nodes = 1
        if table is not None:
            data[kind].x = torch.tensor(table)
    for name, value in {"edge_index": [[0], [0]], **edge}.items():
        if value is not None:
            data["mill", "flour", "bakery"][name] = torch.tensor(value)
    return data


def test_edge_attr_is_the_weight_of_either_kind_of_pyg_graph():
    torch, pyg = pytest.importorskip("torch"), pytest.importorskip("torch_geometric.data")
    plain = pyg.Data(x=torch.ones(2, 1), edge_index=torch.tensor([[0], [1]]), edge_attr=torch.tensor([[0.25]]))
    mixed = hetero_of({"mill": [[1.0]], "bakery": [[1.0]]}, edge_attr=[[0.25]])
    for data in (plain, mixed):
        assert from_pyg(data, ["shock"], ["flour"]).shares.tolist() == [[0.25]]


@pytest.mark.parametrize(
    ("x", "edge", "said"),
    [
        ({"mill": [[1.0]], "bakery": None}, {}, "x of 'bakery' is missing"),
        ({"mill": [[1.0]], "bakery": [[1.0, 2.0]]}, {}, r"x of 'bakery' has the shape \(1, 2\)"),
        ({"mill": [[1.0]], "bakery": [[1.0]]}, {"edge_attr": [[1.0, 2.0]]}, r"weights have the shape \(1, 2\)"),
        ({"mill": [[1.0]], "bakery": [[1.0]]}, {"edge_index": None, "edge_attr": [[1.0]]}, "has no edge_index"),
        (
            {"mill": [[1.0]], "bakery": [[1.0]]},
            {"edge_index": [[1], [0]]},
            "mill flour bakery join more 'mill'",
        ),
    ],
)
def test_mixed_pyg_graphs_that_lack_something_are_refused(x, edge, said):
    with pytest.raises(InputError, match=said):
        from_pyg(hetero_of(x, **edge), ["shock"], ["flour"])


def test_a_pyg_graph_without_edges_is_refused():
    torch, pyg = pytest.importorskip("torch"), pytest.importorskip("torch_geometric.data")
    with pytest.raises(InputError, match="has no edge_index"):
        from_pyg(pyg.Data(x=torch.ones(2, 1)), ["shock"], ["flour"])
    with pytest.raises(InputError, match="weights have the shape"):
        edges = torch.tensor([[0, 0], [1, 2]])
        from_pyg(pyg.Data(x=torch.ones(3, 1), edge_index=edges, edge_attr=torch.ones(2, 2)), ["shock"], ["flour"])


def test_an_agent_may_be_called_na_and_numbers_may_be_left_out(tmp_path):
    (tmp_path / "agents.csv").write_text("name,shock,response\nNA,1,\nnan,2,NA\n")
    (tmp_path / "links.csv").write_text("supplier,buyer,relation\nNA,nan,null\n")
    found = read_own(tmp_path, ["shock"], ["null"])
    assert found.graph.names == ("NA", "nan") and np.isnan(found.response).all()
    (tmp_path / "links.csv").write_text("supplier,buyer\nNA,\n")
    with pytest.raises(InputError, match="name a buyer that is no agent"):
        read_own(tmp_path, ["shock"], ["null"])
    (tmp_path / "agents.csv").write_text("name,id,shock\na,,1\nb,2,1\n")
    with pytest.raises(InputError, match="agent 1 has no id"):
        read_own(tmp_path, ["shock"], ["null"])


def test_an_undirected_graph_supplies_both_ways():
    net = nx.Graph([("a", "b", {"weight": 0.5})])
    assert from_networkx(net, [], ["sells"]).matrix().tolist() == [[0, 0.5], [0.5, 0]]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"links": LINKS.assign(supplier=["1", "9", "2"])}, "links name a supplier that is no agent: 9"),
        ({"links": LINKS.assign(buyer=["1", "1", "3"])}, "1 self-loops, the first of 'mill'"),
        ({"links": pd.concat([LINKS, LINKS[:1]])}, "1 links are given twice"),
        ({"links": LINKS.assign(weight=[0.5, np.nan, 0.6])}, "is nan: expected a number above 0"),
        ({"links": LINKS.assign(weight=[0.5, -1, 0.6])}, "is -1.0: expected a number above 0"),
        ({"links": LINKS.assign(weight=["a", "b", "c"])}, "weight holds something else than numbers"),
        ({"links": LINKS.assign(relation="flour")}, "no link has the relation 'power'"),
        ({"links": LINKS.assign(relation="salt")}, "the relation salt, and the model knows flour, power"),
        ({"links": LINKS.drop(columns="relation")}, "links lack the column relation"),
        ({"links": LINKS.assign(direction="up")}, "the direction up; expected forward, backward, both"),
        ({"links": LINKS.drop(columns="buyer")}, "links lack the column buyer"),
        ({"agents": AGENTS.assign(shock=[1.0, np.nan, 0.0])}, "the features of 'mill' (row 2) hold NaN"),
        ({"agents": AGENTS.assign(shock="high")}, "shock holds something else than numbers"),
        ({"agents": AGENTS.assign(shock=[1e39, 0, 0])}, "the features of 'mill' (row 1) hold NaN or infinity"),
        ({"agents": AGENTS.assign(name=["mill", None, "bakery"])}, "agent 2 has no name"),
        ({"agents": AGENTS[:0]}, "there are no agents"),
        ({"agents": AGENTS.drop(columns="shock")}, "agents lack the column shock"),
        ({"agents": AGENTS.drop(columns="id")}, "mill stands for several agents: add a column `id`"),
        ({"agents": AGENTS.assign(id=["1", "1", "3"])}, "1 stands for several agents: give each a different id"),
    ],
)
def test_bad_input_is_one_clear_sentence(changes, said):
    with pytest.raises(InputError) as error:
        read(**changes)
    assert said in str(error.value) and "\n" not in str(error.value)


def test_every_kind_of_mistake_is_said_at_once():
    with pytest.raises(InputError, match=r"self-loops.*expected a number above 0.*given twice"):
        build_graph("ab", [0, 0, 0], [0, 1, 1], [0, 0, 0], [1, -1, 1], ["sells"])


@pytest.mark.parametrize(("n", "links", "said"), [(0, [], "no agents"), (2, [5], "joins agents 5 and 1")])
def test_graphs_that_are_none(n, links, said):
    with pytest.raises(InputError, match=said):
        build_graph(["x"] * n, links, [1] * len(links), [0] * len(links), [0.5] * len(links), ["sells"])


def test_a_missing_file_or_label_is_said(tmp_path):
    with pytest.raises(InputError, match="there is no such file or folder"):
        read_own(tmp_path / "nowhere", ["shock"], KINDS)
    with pytest.raises(InputError, match=r"agents.csv cannot be read"):
        read_own(tmp_path, ["shock"], KINDS)
    AGENTS.to_csv(tmp_path / "agents.csv", index=False)
    LINKS.to_csv(tmp_path / "links.csv", index=False)
    with pytest.raises(InputError, match="0 agents have a known 'response', and at least 2"):
        read_own(tmp_path, ["shock"], KINDS, labelled=True)


@pytest.mark.parametrize(
    ("response", "said"),
    [
        ([1, None, None], "1 agents have a known"),
        ([1, 2, "x"], "something else than numbers: x"),
        ([1, 2, np.inf], "inf"),
    ],
)
def test_responses_that_cannot_be_scored_against(tmp_path, response, said):
    AGENTS.assign(response=response).to_csv(tmp_path / "agents.csv", index=False)
    LINKS.to_csv(tmp_path / "links.csv", index=False)
    with pytest.raises(InputError, match=said):
        read_own(tmp_path, ["shock"], KINDS, labelled=True)
