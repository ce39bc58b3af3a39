"""A training step (forward + backward) of our backbone against the peers', with equal weights.

    python -m benchmarks.train_step              eager
    python -m benchmarks.train_step --compile    everything through torch.compile (needs a C++ compiler)

Two shapes: ViT-Tiny (12 blocks, width 192, 3 heads, 8 x 197 tokens) against timm's blocks and nn.TransformerEncoder,
and ESM-2-8M (6 blocks, width 320, 20 heads, rotary, 4 x 256 tokens) against transformers' EsmModel. Outputs are
checked to be equal first. Steps are timed in turns; a ratio is the median of paired ratios with its 95 % interval.

"Arithmetic" is the time that the step's multiplications and additions would take at the rate of a large matrix
product on this machine: 6 x rows x weights for the linear layers and 12 x B n^2 D for the attention of each block.
The second table says where our time goes, by the profiler's self times.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile

from benchmarks.peers import Esm, Tokens, check_equal, timm_blocks, torch_encoder
from benchmarks.results import Report, device, dtype, options
from benchmarks.timing import in_turns, ratio, seconds
from zoo.attention import Rotary, UniformBackbone

# parts of an operator's name -> what it does; the first that fits counts
KINDS = {
    "attention": ("scaled_dot_product", "flash"),
    "matrix products": ("mm", "linear", "gemm"),
    "GELU": ("gelu", "erf"),
    "layer norm": ("layer_norm",),
    "copies": ("copy", "cat", "clone", "contiguous"),
    "sums and products": ("aten::add", "aten::sum", "aten::mul"),
    "compiled pointwise code": ("Compiled", "graph_", "fused"),
}


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--compile", action="store_true", help="compiled against compiled")
    parser.add_argument("--shapes", nargs="+", default=["vit", "esm"], choices=["vit", "esm"])
    parser.add_argument("--batch", type=int, help="sequences (default: 8 for vit, 4 for esm)")
    parser.add_argument("--seconds", type=float, default=60.0, help="of timing for each shape (default: %(default)s)")
    arguments = parser.parse_args()
    report = Report("train_step_compiled" if arguments.compile else "train_step", arguments)
    for shape in arguments.shapes:
        {"vit": vit, "esm": esm}[shape](report, arguments)
    report.write()


def vit(report: Report, arguments) -> None:
    ours = UniformBackbone(dim=192, depth=12, num_heads=3)
    peers = {"timm blocks": timm_blocks(ours), "nn.TransformerEncoder": torch_encoder(ours)}
    compare(report, arguments, "ViT-Tiny", ours, peers, (arguments.batch or 8, 197))


def esm(report: Report, arguments) -> None:
    ours = UniformBackbone(dim=320, depth=6, num_heads=20, positions=Rotary())
    compare(report, arguments, "ESM-2-8M", ours, {"transformers EsmModel": Esm(ours)}, (arguments.batch or 4, 256))


def compare(
    report: Report, arguments, shape: str, backbone: UniformBackbone, peers: dict[str, nn.Module], size: tuple[int, int]
) -> None:
    ours = Tokens(backbone).to(device(), dtype())
    tokens, toward = (torch.randn(*size, backbone.dim, device=device(), dtype=dtype()) for _ in range(2))
    differences = {name: check_equal(ours, theirs, tokens) for name, theirs in peers.items()}
    models = {"ours": ours, **peers}
    if arguments.compile:
        models = {name: torch.compile(model) for name, model in models.items()}
    steps = {name: partial(step, model, tokens, toward) for name, model in models.items()}
    times = in_turns(steps, arguments.seconds)
    arithmetic = operations(backbone, *size) / product_rate()
    report.table(
        f"{shape}, {size[0]} x {size[1]} tokens, forward + backward{', compiled' if arguments.compile else ''}",
        [
            {
                "": name,
                "ms": statistics.median(times[name]) * 1e3,
                "ours / theirs": ratio(times, "ours", name) if name != "ours" else "",
                "arithmetic / time": arithmetic / statistics.median(times[name]),
                "largest difference of outputs": f"{differences[name]:.1g}" if name in differences else "",
            }
            for name in models
        ],
        f"{len(times['ours'])} rounds; arithmetic: {arithmetic * 1e3:.0f} ms",
    )
    where = {name: shares(steps[name]) for name in models}
    report.table(
        f"{shape}: share of the step's time",
        [{"": kind, **{name: where[name].get(kind, 0.0) for name in models}} for kind in [*KINDS, "rest"]],
    )


def step(model: nn.Module, tokens: Tensor, toward: Tensor) -> None:
    model.zero_grad(set_to_none=True)
    model(tokens.detach().requires_grad_()).backward(toward)


def operations(backbone: UniformBackbone, batch: int, n: int) -> float:
    """Multiplications and additions of a step: forward once, backward twice as many."""
    weights = sum(p.numel() for block in backbone.blocks for p in block.parameters() if p.ndim == 2)
    return 6 * batch * n * weights + len(backbone.blocks) * 12 * batch * n * n * backbone.dim


def product_rate(size: int = 1024) -> float:
    """Operations per second in a square matrix product."""
    size = size if device().type == "cpu" else 8 * size
    a, b = (torch.randn(size, size, device=device(), dtype=dtype()) for _ in range(2))
    product: Callable[[], Tensor] = partial(torch.mm, a, b)
    return 2 * size**3 / statistics.median([seconds(product) for _ in range(15)][3:])


def shares(one_step: Callable[[], None], calls: int = 3) -> dict[str, float]:
    on_gpu = device().type == "cuda"
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if on_gpu else [])]
    with profile(activities=activities) as seen:
        for _ in range(calls):
            one_step()
    totals: dict[str, float] = {}
    for event in seen.key_averages():
        kind = next((kind for kind, parts in KINDS.items() if any(part in event.key for part in parts)), "rest")
        time = event.self_device_time_total if on_gpu else event.self_cpu_time_total
        totals[kind] = totals.get(kind, 0.0) + time
    return {kind: time / sum(totals.values()) for kind, time in totals.items()}


if __name__ == "__main__":
    main()
