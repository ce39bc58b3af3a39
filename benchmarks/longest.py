"""The longest sequence on which one attention layer can train (forward + backward) in a fixed memory.

    python -m benchmarks.longest            512 MiB, 8 heads
    python -m benchmarks.longest --quick    64 MiB, three widths

The layer is given q, k and v of 8 heads; the budget is the peak above the imports, q, k, v and all gradients counted.

    plain        softmax(q k^T / sqrt(d)) v in PyTorch's own operations, which saves its matrix
    checkpoint   the same inside torch.utils.checkpoint
    sdpa         torch.nn.functional.scaled_dot_product_attention
    ours         zoo.attention.Attend
    observed     the same inside `observe`, with Entropy and Received

Every peak is measured in a fresh process. Where the peak grows with n^2 (plain, checkpoint) the longest n is found by
bisection. Where it grows with n, two measured lengths give the line, and the line the longest n: a run at that n may
take hours, since the time grows with n^2. It is run and its peak given wherever it should take less than `--limit`
seconds; elsewhere the n is marked "fitted".

The ratio grows like sqrt(budget x heads) / width of the model: "budget for 70 x" is where it reaches 70, from the
measured line and parabola. The last table counts the bytes that autograd saves between forward and backward beside
q, k and v; it does not depend on the machine.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from benchmarks.memory import FreshProcesses, MiB, OutOfTime, peak_bytes
from benchmarks.results import Report, device, dtype, options
from benchmarks.timing import seconds
from zoo.attention import Attend, Entropy, Received, observe

HEADS = 8
QUADRATIC, LINEAR = ("plain", "checkpoint"), ("sdpa", "ours", "observed")
WIDTHS = (32, 64, 128, 256, 512, 1024, 4096)  # of the model; a head's is an eighth


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--budget", type=int, help="MiB (default: 512)")
    parser.add_argument("--widths", type=int, nargs="+", help=f"of the model, all {HEADS} heads (default: {WIDTHS})")
    parser.add_argument("--limit", type=float, default=10.0, help="seconds for one trial (default: %(default)s)")
    parser.add_argument("--quick", action="store_true", help="64 MiB and the widths 64, 512, 4096")
    arguments = parser.parse_args()
    budget = (arguments.budget or (64 if arguments.quick else 512)) * MiB
    widths = arguments.widths or ((64, 512, 4096) if arguments.quick else WIDTHS)
    report = Report("longest", arguments)
    trials = Trials(arguments.limit)
    lengths, ratios = [], []
    for width in widths:
        row = {"width": width, "of a head": width // HEADS}
        found = {method: trials.longest(method, width, budget) for method in QUADRATIC + LINEAR}
        lengths.append(row | {method: f"{n:,}{how}" for method, (n, how) in found.items()})
        plain = found["plain"][0]
        ratios.append(
            row
            | {method: n / plain for method, (n, _) in found.items() if method != "plain"}
            | {"budget for 70 x": f"{trials.budget_for(70, width) / 1024 / MiB:,.2f} GiB"}
        )
    title = f"{budget // MiB} MiB, {HEADS} heads, {str(dtype()).removeprefix('torch.')}"
    report.table(f"Longest sequence in {title}", lengths, trials.note)
    report.table(f"Times the plain one's, {title}", ratios)
    report.table(
        f"MiB saved beside q, k and v at n = 1024, {HEADS} heads",
        [{"width": width, **{m: saved_bytes(m, width, 1024) / MiB for m in QUADRATIC + LINEAR}} for width in widths],
    )
    report.write()


class Trials:
    """Peaks at given lengths, and what follows from them."""

    note = "v: run at that length, and its peak is within 2 % of the budget; fitted: too long to run here"

    def __init__(self, limit_s: float):
        self.limit_s = limit_s
        self.processes = FreshProcesses()
        self.peaks: dict[tuple[str, int], dict[int, int]] = {}
        self.rates: dict[tuple[str, int], float] = {}  # seconds for a pair of tokens

    def peak(self, method: str, width: int, n: int) -> int:
        known = self.peaks.setdefault((method, width), {})
        if n not in known:
            known[n], taken = self.processes.call(peak_and_seconds, method, width, n, limit_s=5 * self.limit_s)
            self.rates[method, width] = taken / n**2
        return known[n]

    def longest(self, method: str, width: int, budget: int) -> tuple[int, str]:
        if method in QUADRATIC:
            return self._by_bisection(method, width, budget), " v"
        per_token, start = self._line(method, width)
        n = int((budget - start) / per_token)
        if self.rates[method, width] * n**2 > self.limit_s:
            return n, " fitted"
        try:
            wrong = self.peak(method, width, n) / budget - 1
        except OutOfTime:
            return n, " fitted"
        return n, " v" if abs(wrong) < 0.02 else f" (peak {wrong:+.0%})"

    def _by_bisection(self, method: str, width: int, budget: int) -> int:
        """To within 1 %; the first guesses scale the peak of a short input by n^2."""
        n = 256
        for _ in range(2):
            n = max(16, int(n * (budget / self.peak(method, width, n)) ** 0.5))
        fits, too_long = n, n
        while self.peak(method, width, fits) > budget:
            fits = fits * 49 // 50
        while self.peak(method, width, too_long) <= budget:
            too_long = too_long * 51 // 50 + 1
        while too_long - fits > max(1, fits // 100):
            middle = (fits + too_long) // 2
            if self.peak(method, width, middle) <= budget:
                fits = middle
            else:
                too_long = middle
        return fits

    def _line(self, method: str, width: int) -> tuple[float, float]:
        """Bytes for each token, and those at no token."""
        short = 4096 if width < 256 else 1024
        a, b = self.peak(method, width, short), self.peak(method, width, 2 * short)
        return (b - a) / short, 2 * a - b

    def budget_for(self, ratio: float, width: int) -> float:
        """Bytes with which ours reaches `ratio` times the length of plain: both grow as fitted."""
        per_token, _ = self._line("ours", width)
        n, most = max(self.peaks["plain", width].items())
        per_pair = (most - per_token * n) / n**2
        plain = per_token * (ratio - 1) / per_pair  # where n^2 per_pair + n per_token = ratio n per_token
        return ratio * plain * per_token


def peak_and_seconds(method: str, width: int, n: int) -> tuple[int, float]:
    taken = []
    most = peak_bytes(lambda: taken.append(seconds(lambda: step(method, width, n))), lambda: step(method, width, 16))
    return most, taken[0]


def step(method: str, width: int, n: int) -> None:
    layer = Layer(method)
    q, k, v = inputs(width, n)
    out = layer(q, k, v)
    out.backward(torch.ones_like(out))


def inputs(width: int, n: int) -> list[Tensor]:
    shape = (1, HEADS, n, width // HEADS)
    return [torch.randn(shape, device=device(), dtype=dtype(), requires_grad=True) for _ in range(3)]


class Layer(nn.Module):
    """One of the five, on q, k and v."""

    def __init__(self, method: str):
        super().__init__()
        self.attend = Attend()
        self.run: Callable[[Tensor, Tensor, Tensor], Tensor] = {
            "plain": plain,
            "checkpoint": lambda *qkv: checkpoint(plain, *qkv, use_reentrant=False),
            "sdpa": F.scaled_dot_product_attention,
            "ours": self.attend,
            "observed": self._observed,
        }[method]

    def forward(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return self.run(q, k, v)

    def _observed(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        with observe(self, Entropy(), Received()):
            return self.attend(q, k, v)


def plain(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return (q @ k.mT * q.shape[-1] ** -0.5).softmax(-1) @ v


def saved_bytes(method: str, width: int, n: int) -> int:
    layer = Layer(method)
    given = inputs(width, n)
    known = {x.untyped_storage().data_ptr() for x in given}
    saved: dict[int, Tensor] = {}

    def keep(x: Tensor) -> Tensor:
        saved[x.untyped_storage().data_ptr()] = x
        return x

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda x: x):
        out = layer(*given)
    total = sum(x.untyped_storage().nbytes() for where, x in saved.items() if where not in known)
    del out
    return total


if __name__ == "__main__":
    main()
