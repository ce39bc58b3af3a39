"""Two laws of attention at initialisation, each with a picture.

    python -m benchmarks.laws

Variance. The output of attention has the same variance whether a width of 512 makes 8 heads of 64 or 16 of 32, and
more with many small heads. Two initialisations: q, k and v independent with unit variance (the setting of the scale
1/sqrt(d)), and `SelfAttention` as it is made (nn.Linear's uniform initialisation) on unit-variance tokens, before its
output projection. 256 keys; the mean over `--draws` independent inputs.

Gradients. The norm of the gradient of each block's parameters at initialisation, for a loss that is the tokens' product
with a fixed random tensor, on random tokens; the mean over three seeds. Two initialisations: nn.Linear's own, under
which branches are small, and Kaiming's (1/width, twice that after the GELU), under which a branch is about as large as
the residual, the case of Xiong et al. (2020): post-LN's gradients at the last block do not fall with depth, as pre-LN's
do (theorem 1).
"""

from __future__ import annotations

import matplotlib
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.results import FOLDER, Report, device, options
from zoo.attention import SelfAttention, UniformBackbone
from zoo.attention.block import split_heads

matplotlib.use("Agg")
import matplotlib.pyplot as plt

WIDTH, KEYS = 512, 256
HEADS = (1, 2, 4, 8, 16, 32, 64)
DEPTHS = (6, 12, 24)
STARTS = ("nn.Linear's", "Kaiming's")
DIM, SEEDS = 128, 3


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--draws", type=int, default=64, help="inputs for the variance (default: %(default)s)")
    arguments = parser.parse_args()
    report = Report("laws", arguments)
    FOLDER.mkdir(exist_ok=True)
    variance(report, arguments.draws)
    gradients(report)
    report.write()


def variance(report: Report, draws: int) -> None:
    kinds = {"unit-variance q, k, v": of_unit_variance, "SelfAttention as made": of_a_layer}
    found = {kind: {h: spread(measure, h, draws) for h in HEADS} for kind, measure in kinds.items()}
    rows = [
        {
            "heads": h,
            "of width": WIDTH // h,
            **{f"{kind}, x {KEYS}": of[h] * KEYS for kind, of in found.items()},
            **{f"{kind}, against 8 heads": f"{of[h] / of[8] - 1:+.2%}" for kind, of in found.items()},
        }
        for h in HEADS
    ]
    report.table(f"Variance of the attention's output, width {WIDTH}, {KEYS} keys", rows)
    figure, axes = plt.subplots(figsize=(6, 3.6), layout="constrained")
    for (kind, of), marker in zip(found.items(), "os", strict=True):
        axes.plot(HEADS, [100 * (of[h] / of[8] - 1) for h in HEADS], marker=marker, label=kind)
    axes.axhspan(-2, 2, color="0.9", label="within 2 %")
    axes.set_xscale("log", base=2)
    axes.set_xticks(HEADS, [f"{h}\n({WIDTH // h})" for h in HEADS])
    axes.set_xlabel("heads (width of each)")
    axes.set_ylabel("variance against 8 heads, %")
    axes.set_title("Output variance of attention at initialisation")
    finish(axes, figure, "variance")


def spread(measure, heads: int, draws: int) -> float:
    torch.manual_seed(0)
    return torch.stack([measure(heads).var() for _ in range(draws)]).mean().item()


def of_unit_variance(heads: int) -> Tensor:
    q, k, v = (torch.randn(1, heads, KEYS, WIDTH // heads, device=device()) for _ in range(3))
    return F.scaled_dot_product_attention(q, k, v)


@torch.no_grad()
def of_a_layer(heads: int) -> Tensor:
    layer = SelfAttention(WIDTH, heads).to(device())
    parts = layer.qkv(torch.randn(1, KEYS, WIDTH, device=device())).chunk(3, dim=-1)
    return layer.attend(*(split_heads(x, heads) for x in parts))


def gradients(report: Report) -> None:
    found = {
        (start, norm, depth): norms(start, norm, depth)
        for start in STARTS
        for norm in ("pre", "post")
        for depth in DEPTHS
    }
    report.table(
        f"Norm of the gradient of a block's parameters at initialisation, width {DIM}, 4 heads",
        [
            {
                "initialisation": start,
                "norm": norm,
                "depth": depth,
                "first block": of[0],
                "middle": of[depth // 2],
                "last": of[-1],
                "last / first": of[-1] / of[0],
            }
            for (start, norm, depth), of in found.items()
        ],
    )
    figure, panels = plt.subplots(1, 2, figsize=(9, 3.6), sharey=True, layout="constrained")
    for axes, start in zip(panels, STARTS, strict=True):
        for norm, color in (("pre", "tab:blue"), ("post", "tab:red")):
            for depth, line in zip(DEPTHS, (":", "--", "-"), strict=True):
                of = found[start, norm, depth]
                axes.plot(range(1, depth + 1), of, line, color=color, label=f"{norm}-LN, {depth} blocks")
        axes.set_yscale("log")
        axes.minorticks_off()
        axes.set_yticks((1000, 2000, 4000), ("1,000", "2,000", "4,000"))
        axes.set_xlabel("block")
        axes.set_title(f"{start} initialisation")
    panels[0].set_ylabel("gradient norm of the block's parameters")
    finish(panels[1], figure, "gradients")


def norms(start: str, norm: str, depth: int) -> list[float]:
    """Of each block, from the first to the last."""
    total = torch.zeros(depth)
    for seed in range(SEEDS):
        torch.manual_seed(seed)
        backbone = UniformBackbone(dim=DIM, depth=depth, num_heads=4, norm=norm)
        if start == "Kaiming's":
            for block in backbone.blocks:
                for linear in (block.attention.qkv, block.attention.out, block.mlp[0]):
                    nn.init.kaiming_normal_(linear.weight, nonlinearity="linear")
                nn.init.kaiming_normal_(block.mlp[2].weight, nonlinearity="relu")
        backbone.to(device())
        tokens, toward = (torch.randn(2, 256, DIM, device=device()) for _ in range(2))
        (backbone(tokens).tokens * toward).sum().backward()
        for i, block in enumerate(backbone.blocks):
            total[i] += torch.cat([p.grad.flatten() for p in block.parameters()]).norm().cpu()
    return (total / SEEDS).tolist()


def finish(axes, figure, name: str) -> None:
    axes.legend(frameon=False, fontsize=8)
    for each in figure.axes:
        each.spines[["top", "right"]].set_visible(False)
    figure.savefig(FOLDER / f"{name}.png", dpi=150)
    plt.close(figure)


if __name__ == "__main__":
    main()
