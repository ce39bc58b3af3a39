"""Attention along the edges of a graph: against PyTorch Geometric's TransformerConv, and against a dense mask.

    python -m benchmarks.edges

Forward + backward of one layer, queries, keys and values projected by both: ours is `SelfAttention` (whose fourth
projection is that of the output), theirs `TransformerConv` (whose fourth is that of the token itself). The attentions
are checked to be equal first, and times are taken in turns. The graph is built once, outside the timing; `Edges` keeps
its layout from pass to pass, as in training on one graph, and "Edges made anew" counts making both each time. Peaks
are those above model and graph, each in a fresh process.

The last table is the crossover: from which share of all pairs on the fused kernel under a boolean mask is faster than
the edges, for queries, keys and values alone: what `zoo.attention.edges.DENSE_SHARE` should be.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from unittest import mock

import torch
from torch import Tensor

from benchmarks.memory import FreshProcesses, MiB, peak_bytes
from benchmarks.results import Report, device, dtype, options
from benchmarks.timing import in_turns, ratio, seconds
from zoo.attention import Edges, SelfAttention, edges

PEERS = ("ours", "TransformerConv")
SHARES = (0.005, 0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0)


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--dim", type=int, default=64)
    parser.add_argument("--heads", type=int, default=4)
    parser.add_argument("--degree", type=int, default=8, help="mean edges of a token (default: %(default)s)")
    parser.add_argument("--tokens", type=int, nargs="+", default=[1024, 4096, 16384])
    parser.add_argument("--edges", type=int, nargs="+", default=[8192, 32768, 131072, 524288, 1048576])
    parser.add_argument("--dense", type=int, nargs="+", default=[256, 512, 1024], help="tokens of the crossover")
    parser.add_argument("--seconds", type=float, default=10.0, help="of timing for each row (default: %(default)s)")
    arguments = parser.parse_args()
    report = Report("edges", arguments)
    shape = (arguments.dim, arguments.heads, arguments.degree)
    processes = FreshProcesses("torch_geometric.nn")
    title = f"Mean degree {arguments.degree}, width {arguments.dim}, {arguments.heads} heads, forward + backward"
    report.table(f"{title}: ms", [times_of_layers(n, shape, arguments.seconds) for n in arguments.tokens])
    report.table(f"{title}: peak MiB", [peaks_of_layers(processes, n, shape) for n in arguments.tokens])
    growth(report, processes, arguments.edges, shape)
    crossover(report, arguments)
    report.write()


def times_of_layers(n: int, shape: tuple[int, int, int], budget_s: float) -> dict:
    query, key = random_graph(n, n * shape[2])
    graph = Edges(query, key, n)
    difference = check_equal(graph, *shape[:2])
    steps = {name: layer_step(name, graph, *shape[:2]) for name in PEERS}
    steps["Edges made anew"] = lambda: layer_step("ours", Edges(query, key, n), *shape[:2])()
    times = in_turns(steps, budget_s)
    return {
        "tokens": n,
        "edges": len(graph),
        **{name: statistics.median(taken) * 1e3 for name, taken in times.items()},
        "ours / theirs": ratio(times, "ours", "TransformerConv"),
        "anew / theirs": ratio(times, "Edges made anew", "TransformerConv"),
        "difference": f"{difference:.0g}",
    }


def peaks_of_layers(processes: FreshProcesses, n: int, shape: tuple[int, int, int]) -> dict:
    peaks = {name: processes.call(peak, name, n, *shape) / MiB for name in PEERS}
    return {"tokens": n, **peaks, "ours / theirs": peaks["ours"] / peaks["TransformerConv"]}


def growth(report: Report, processes: FreshProcesses, sizes: list[int], shape: tuple[int, int, int]) -> None:
    rows = []
    for count in sizes:
        n = count // shape[2]
        one_step = layer_step("ours", Edges(*random_graph(n, count), n), *shape[:2])
        one_step()
        taken = statistics.median(seconds(one_step) for _ in range(3))
        rows.append(
            {"edges": count, "tokens": n, "ms": taken * 1e3, "MiB": processes.call(peak, "ours", n, *shape) / MiB}
        )
    slopes = {of: slope([row["edges"] for row in rows], [row[of] for row in rows]) for of in ("ms", "MiB")}
    note = f"log-log slope of time {slopes['ms']:.2f}, of memory {slopes['MiB']:.2f}; 1 is linear"
    report.table(f"Growth with the edges, mean degree {shape[2]}", rows, note)


def crossover(report: Report, arguments) -> None:
    rows = []
    for width in (16, 64):
        for n in arguments.dense:
            ratios = []
            for share in SHARES:
                steps = dense_or_edges(n, share, width, arguments.heads)
                ratios.append(ratio(in_turns(steps, arguments.seconds / 10), "edges", "dense mask").median)
            shown = {f"{share:.1%}": r for share, r in zip(SHARES, ratios, strict=True)}
            rows.append({"head width": width, "tokens": n, **shown, "equal at": f"{crossing(SHARES, ratios):.1%}"})
    report.table("Time along edges / time under a dense mask, by the share of all pairs", rows)


def random_graph(n: int, count: int) -> tuple[Tensor, Tensor]:
    """`count` different pairs."""
    draw = torch.Generator().manual_seed(0)
    pair = torch.randint(n * n, (int(1.01 * count) + 100,), generator=draw) if count < n * n / 50 else None
    pair = torch.randperm(n * n, generator=draw) if pair is None else torch.unique(pair)
    pair = pair[torch.randperm(len(pair), generator=draw)[:count]].to(device())
    return pair // n, pair % n


def layer_step(name: str, graph: Edges, dim: int, heads: int) -> Callable[[], None]:
    torch.manual_seed(0)
    tokens, toward = (torch.randn(graph.num_tokens, dim, device=device(), dtype=dtype()) for _ in range(2))
    if name == "ours":
        layer = SelfAttention(dim, heads).to(device(), dtype())
        return partial(step, lambda x: layer(x[None], graph)[0], tokens, toward)
    layer = transformer_conv(dim, heads)
    edge_index = torch.stack([graph.key, graph.query])
    return partial(step, lambda x: layer(x, edge_index), tokens, toward)


def transformer_conv(dim: int, heads: int):
    from torch_geometric.nn import TransformerConv

    return TransformerConv(dim, dim // heads, heads).to(device(), dtype())


def step(layer: Callable[[Tensor], Tensor], tokens: Tensor, toward: Tensor) -> None:
    layer(tokens.detach().requires_grad_()).backward(toward)


def check_equal(graph: Edges, dim: int, heads: int) -> float:
    """With equal q, k and v projections, and neither fourth one."""
    ours, theirs = SelfAttention(dim, heads).to(device(), dtype()), transformer_conv(dim, heads)
    parts = (theirs.lin_query, theirs.lin_key, theirs.lin_value)
    for part, weight, bias in zip(parts, ours.qkv.weight.chunk(3), ours.qkv.bias.chunk(3), strict=True):
        part.weight.data.copy_(weight.data)
        part.bias.data.copy_(bias.data)
    for weight in theirs.lin_skip.parameters():
        weight.data.zero_()
    ours.out = torch.nn.Identity()
    tokens = torch.randn(graph.num_tokens, dim, device=device(), dtype=dtype())
    with torch.no_grad():
        a, b = ours(tokens[None], graph)[0], theirs(tokens, torch.stack([graph.key, graph.query]))
    torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5 if dtype() == torch.float32 else 5e-2)
    return (a - b).abs().max().item()


def peak(name: str, n: int, dim: int, heads: int, degree: int) -> int:
    tiny = layer_step(name, Edges(*random_graph(32, 64), 32), dim, heads)
    return peak_bytes(layer_step(name, Edges(*random_graph(n, n * degree), n), dim, heads), tiny)


def dense_or_edges(n: int, share: float, width: int, heads: int) -> dict[str, Callable[[], None]]:
    graph = Edges(*random_graph(n, round(share * n * n)), n)
    q, k, v, toward = (torch.randn(1, heads, n, width, device=device(), dtype=dtype()) for _ in range(4))

    def along(limit: float) -> None:
        with mock.patch.object(edges, "DENSE_SHARE", limit):
            given = [x.detach().requires_grad_() for x in (q, k, v)]
            graph.attend(*given).backward(toward)

    return {"edges": partial(along, math.inf), "dense mask": partial(along, -1.0)}


def crossing(shares: tuple[float, ...], ratios: list[float]) -> float:
    """Where the ratio reaches 1, interpolated between logarithms; an end if it does not."""
    for (s, t), (r, u) in zip(pairwise(shares), pairwise(ratios), strict=True):
        if r < 1 <= u:
            return math.exp(math.log(s) + math.log(t / s) * -math.log(r) / math.log(u / r))
    return shares[0] if ratios[0] >= 1 else shares[-1]


def slope(x: list[float], y: list[float]) -> float:
    """Of the line through the logarithms, by least squares."""
    return statistics.linear_regression([math.log(a) for a in x], [math.log(b) for b in y]).slope


if __name__ == "__main__":
    main()
