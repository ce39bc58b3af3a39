"""The graph model's own layer, gates of relations, outside and all, against PyTorch Geometric's TransformerConv.

    python -m benchmarks.graph_layer

Forward + backward of attention over one random graph with three relations, both with gradients for the tokens and
every weight. Ours: `RelationHeads` (gates learned, shares of cost as logits) and `SelfAttention`; one edge more for
each agent, to the outside. Theirs: `TransformerConv` with the relations as `edge_attr`. `Links` keep their layout from
pass to pass, as in training on one graph; "made anew" counts `Links` and layout each time. Peaks are those above model
and graph, each in a fresh process. The last table is the whole model (embedding, layers, head) along more and more
links.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from functools import partial

import numpy as np
import torch

from benchmarks.edges import slope
from benchmarks.memory import FreshProcesses, MiB, peak_bytes
from benchmarks.results import Report, options
from benchmarks.timing import in_turns, ratio, seconds
from zoo.attention import SelfAttention, UniformBackbone
from zoo.domain.optim import AdamW
from zoo.graphs.batch import Batch
from zoo.graphs.graph import SupplyGraph, as_shares
from zoo.graphs.links import Links
from zoo.graphs.model import PropagationModel
from zoo.graphs.relation_heads import RelationHeads

DIM, HEADS, DEGREE, KINDS = 64, 4, 8, ("materials", "services", "energy")
PEERS = ("ours", "TransformerConv")


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--agents", type=int, nargs="+", default=[1024, 4096, 16384])
    parser.add_argument("--links", type=int, nargs="+", default=[8192, 32768, 131072, 524288, 1048576])
    parser.add_argument("--seconds", type=float, default=10.0, help="of timing for each row (default: %(default)s)")
    arguments = parser.parse_args()
    report = Report("graph_layer", arguments)
    processes = FreshProcesses("torch_geometric.nn")
    title = f"Mean degree {DEGREE}, width {DIM}, {HEADS} heads, {len(KINDS)} relations, forward + backward"
    report.table(f"{title}: ms", [times(n, arguments.seconds) for n in arguments.agents])
    report.table(f"{title}: peak MiB", [peaks(processes, n) for n in arguments.agents])
    rows = [whole_model(processes, count) for count in arguments.links]
    slopes = {of: slope([row["links"] for row in rows], [row[of] for row in rows]) for of in ("ms", "MiB")}
    note = f"log-log slope of time {slopes['ms']:.2f}, of memory {slopes['MiB']:.2f}; 1 is linear"
    report.table("The whole model, 2 layers, forward + backward", rows, note)
    report.write()


def random_graph(n: int, count: int) -> SupplyGraph:
    """`count` different links, each of one relation."""
    draw = np.random.default_rng(0)
    pair = np.unique(draw.integers(0, n * n, int(1.05 * count) + 100))
    pair = pair[pair // n != pair % n]
    pair = np.sort(draw.permutation(pair)[:count])
    shares = np.eye(len(KINDS))[draw.integers(0, len(KINDS), count)] * draw.uniform(0.01, 0.1, (count, 1))
    names = tuple(map(str, range(n)))
    return as_shares(SupplyGraph(names, pair // n, pair % n, shares, KINDS, np.zeros((n, 0), dtype=np.float32)))


def layer_step(name: str, n: int, anew: bool = False) -> Callable[[], None]:
    torch.manual_seed(0)
    graph = random_graph(n, n * DEGREE)
    if name == "ours":
        heads, layer = RelationHeads(HEADS, len(KINDS)), SelfAttention(DIM, HEADS)
        kept = Links.of([graph])

        def forward(x: torch.Tensor) -> torch.Tensor:
            edges, bias = heads(Links.of([graph]) if anew else kept)
            return layer(x[None], edges, bias=bias)[0]

        return partial(step, forward, torch.randn(n + 1, DIM))
    from torch_geometric.nn import TransformerConv

    layer = TransformerConv(DIM, DIM // HEADS, HEADS, edge_dim=len(KINDS))
    index = torch.from_numpy(np.stack([graph.supplier, graph.buyer]))
    shares = torch.from_numpy(graph.shares).float()
    return partial(step, lambda x: layer(x, index, shares), torch.randn(n, DIM))


def step(forward: Callable[[torch.Tensor], torch.Tensor], tokens: torch.Tensor) -> None:
    forward(tokens.detach().requires_grad_()).sum().backward()


def times(n: int, budget_s: float) -> dict:
    steps = {name: layer_step(name, n) for name in PEERS} | {"made anew": layer_step("ours", n, anew=True)}
    taken = in_turns(steps, budget_s)
    return {
        "agents": n,
        "links": n * DEGREE,
        **{name: statistics.median(each) * 1e3 for name, each in taken.items()},
        "ours / theirs": ratio(taken, "ours", "TransformerConv"),
        "anew / theirs": ratio(taken, "made anew", "TransformerConv"),
    }


def peaks(processes: FreshProcesses, n: int) -> dict:
    found = {name: processes.call(layer_peak, name, n) / MiB for name in PEERS}
    return {"agents": n, **found, "ours / theirs": found["ours"] / found["TransformerConv"]}


def layer_peak(name: str, n: int) -> int:
    return peak_bytes(layer_step(name, n), layer_step(name, 64))


def model_step(count: int) -> Callable[[], None]:
    torch.manual_seed(0)
    graph = random_graph(count // DEGREE, count)
    model = PropagationModel(UniformBackbone(DIM, 2, HEADS, mlp_ratio=1.0), AdamW(), ["shock"], KINDS)
    shocks = torch.randn(1, len(graph), 1)
    batch = Batch(shocks, shocks[..., 0], Links.of([graph]), (graph,))
    return lambda: model.outcome(batch).loss.backward()


def whole_model(processes: FreshProcesses, count: int) -> dict:
    one_step = model_step(count)
    one_step()
    taken = statistics.median(seconds(one_step) for _ in range(3)) * 1e3
    return {"links": count, "agents": count // DEGREE, "ms": taken, "MiB": processes.call(model_peak, count) / MiB}


def model_peak(count: int) -> int:
    return peak_bytes(model_step(count), model_step(512))


if __name__ == "__main__":
    main()
