"""What reading the attention costs: entropy, attention received and distance of all heads and layers.

    python -m benchmarks.observed

Without gradients, batch 1. Ours plain, ours observed, and transformers' EsmModel with the same weights and no
positions: plain (its fused kernel), and with `output_attentions=True` (`attn_implementation="eager"`) and the same
statistics computed from the maps that it returns. The statistics are checked to be equal first. Times are taken in
turns; peaks are those above the built model, each in a fresh process. The last table is one observed pass over a long
input.
"""

from __future__ import annotations

import statistics
from functools import partial

import torch
from torch import Tensor

from benchmarks.memory import FreshProcesses, MiB, peak_bytes
from benchmarks.peers import Esm, Tokens, check_equal
from benchmarks.results import Report, device, dtype, options
from benchmarks.timing import in_turns, ratio, seconds
from zoo.attention import Distance, Entropy, Received, UniformBackbone, observe

PASSES = ("ours", "ours, observed", "transformers", "transformers, output_attentions")
Statistics = dict[str, list[Tensor]]  # entropy, received, distance: each layer's


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--tokens", type=int, default=2048)
    parser.add_argument("--long", type=int, default=16384, help="tokens of the long pass (default: %(default)s)")
    parser.add_argument("--dim", type=int, default=192)
    parser.add_argument("--heads", type=int, default=3)
    parser.add_argument("--depth", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=60.0, help="of timing (default: %(default)s)")
    arguments = parser.parse_args()
    shape = (arguments.dim, arguments.heads, arguments.depth)
    report = Report("observed", arguments)
    with torch.no_grad():
        passes = {name: one_pass(name, shape, arguments.tokens) for name in PASSES}
        check_statistics(passes["ours, observed"](), passes["transformers, output_attentions"]())
        times = in_turns(passes, arguments.seconds)
    processes = FreshProcesses("transformers.models.esm.modeling_esm")
    peaks = {name: processes.call(peak, name, shape, arguments.tokens) for name in PASSES}
    report.table(
        f"{arguments.tokens} tokens, {arguments.depth} layers x {arguments.heads} heads, width {arguments.dim}",
        [
            {
                "": name,
                "ms": statistics.median(times[name]) * 1e3,
                "peak MiB": peaks[name] / MiB,
                "time / ours plain": ratio(times, name, "ours"),
                "peak / ours plain": peaks[name] / peaks["ours"],
                "time / ours observed": ratio(times, name, "ours, observed"),
                "peak / ours observed": peaks[name] / peaks["ours, observed"],
            }
            for name in PASSES
        ],
        f"{len(times['ours'])} rounds",
    )
    taken, peak_long = processes.call(timed_peak, "ours, observed", shape, arguments.long)
    report.table(
        f"One observed pass over {arguments.long} tokens",
        [
            {
                "layers": arguments.depth,
                "s": taken,
                "peak MiB": peak_long / MiB,
                "of 2 GiB": peak_long / (2048 * MiB),
                "maps alone would take, MiB": arguments.depth * arguments.heads * arguments.long**2 * 4 / MiB,
            }
        ],
    )
    report.write()


def one_pass(name: str, shape: tuple[int, int, int], *lengths: int):
    """The pass as a function without arguments; one for each length, if several are given."""
    torch.manual_seed(0)
    dim, heads, depth = shape
    backbone = UniformBackbone(dim, depth, heads)
    ours = Tokens(backbone).to(device(), dtype()).eval()
    inputs = [torch.randn(1, n, dim, device=device(), dtype=dtype()) for n in lengths]
    if name == "ours":
        passes = [partial(ours, tokens) for tokens in inputs]
    elif name == "ours, observed":
        passes = [partial(observed, ours, tokens) for tokens in inputs]
    else:
        theirs = Esm(backbone, "eager" if "output" in name else "sdpa").eval()
        check_equal(ours, theirs, inputs[-1][:, :128])
        reads = of_maps if "output" in name else Esm.forward
        passes = [partial(reads, theirs, tokens) for tokens in inputs]
    return passes[0] if len(passes) == 1 else passes


def observed(model: Tokens, tokens: Tensor) -> Statistics:
    with observe(model, entropy := Entropy(), received := Received(), distance := Distance()):
        model(tokens)
    return {
        name: list(observer.result().values())
        for name, observer in (("entropy", entropy), ("received", received), ("distance", distance))
    }


def of_maps(model: Esm, tokens: Tensor) -> Statistics:
    """The same statistics from whole maps, as one would write them."""
    maps = model.maps(tokens)
    place = torch.arange(tokens.shape[1], device=tokens.device)
    away = (place[:, None] - place).abs().to(maps[0].dtype)
    return {
        "entropy": [torch.special.entr(a).sum(-1) for a in maps],
        "received": [a.sum(-2) for a in maps],
        "distance": [(a * away).sum(-1) for a in maps],
    }


def check_statistics(ours: Statistics, theirs: Statistics) -> None:
    for name, layers in ours.items():
        for a, b in zip(layers, theirs[name], strict=True):
            loose = 1e-3 if dtype() == torch.float32 else 5e-2
            torch.testing.assert_close(a.float(), b.float(), rtol=loose, atol=loose, msg=lambda m, n=name: f"{n}: {m}")


def peak(name: str, shape: tuple[int, int, int], tokens: int) -> int:
    with torch.no_grad():
        tiny, whole = one_pass(name, shape, 64, tokens)
        return peak_bytes(whole, tiny)


def timed_peak(name: str, shape: tuple[int, int, int], tokens: int) -> tuple[float, int]:
    taken = []
    with torch.no_grad():
        tiny, whole = one_pass(name, shape, 64, tokens)
        most = peak_bytes(lambda: taken.append(seconds(whole)), tiny)
    return taken[0], most


if __name__ == "__main__":
    main()
