"""Layers are hops: what a model of L layers explains of prices along bills of materials, and what it cannot.

    python -m benchmarks.hops

For L = 1 to 5 layers, trained on 160 planted bills of materials of depth 5, scored on 20 others with new shocks. Beside
R2 stand the ceiling 1 - sum_{dist > L} l_ij^2 / sum_{dist > 0} l_ij^2 and what the exact series, cut off after L hops,
reaches on the same shocks. The ceiling is an expectation over shocks; so that a sample does not miss it by chance, the
test shocks of each graph are normal and whitened: 60 scenarios with mean 0 and covariance 1. "R2, plain shocks" is of
normal shocks as they come, "exact, plain" the exact series there. r: correlation with the Leontief inverse over all
pairs within reach, of the gradient and of attention multiplied along paths; mean over the graphs.
Beyond: the largest gradient between agents more than L hops apart.
"""

from __future__ import annotations

from statistics import mean

import numpy as np
from matplotlib import pyplot as plt

from benchmarks.propagation import scored, trained
from benchmarks.results import FOLDER, Report, options
from zoo.domain.png import BLUE, GREY, png
from zoo.graphs.data import PlantedChains
from zoo.graphs.influence import influence
from zoo.graphs.insight import Agreement, agree
from zoo.graphs.leontief import ceiling, total_requirements
from zoo.graphs.planted import Scenarios


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--layers", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--epochs", type=int, default=25)
    parser.add_argument("--shuffle", action="store_true", help="the control: the links of other products")
    arguments = parser.parse_args()
    report = Report("hops_shuffled" if arguments.shuffle else "hops", arguments)
    rows = [row(hops, seed, arguments) for hops in arguments.layers for seed in arguments.seeds]
    report.table("Prices along bills of materials that were never seen", rows)
    report.write()
    if not arguments.shuffle:
        FOLDER.joinpath("hops.png").write_bytes(drawn(rows))


def row(hops: int, seed: int, arguments) -> dict:
    data = PlantedChains(shuffle=arguments.shuffle, seed=seed)
    model = trained(data, hops, heads=2, dim=32, epochs=arguments.epochs, seed=seed, binding="unseen")
    test = [s._replace(law="prices") for s in data.part("test").scenarios]
    found, plain = scored(model, [whitened(s) for s in test], hops), scored(model, test, hops)
    top = ceiling([s.graph.matrix() for s in test], hops)
    agreement = Agreement(*np.mean([agree(influence(model, s.graph), s) for s in test], 0))
    print(hops, seed, found, round(top, 4), agreement, flush=True)
    return {
        "layers": hops, "seed": seed, "R2": found.model, "ceiling": top, "R2 / ceiling": found.model / top,
        "exact series": found.exact, "R2, plain shocks": plain.model, "exact, plain": plain.exact,
        "r gradient": agreement.gradient, "r attention": agreement.attention, "beyond": agreement.beyond,
    }  # fmt: skip


def whitened(scenarios: Scenarios, count: int = 60) -> Scenarios:
    n = len(scenarios.graph)
    normal = np.random.default_rng(n + count).normal(size=(count, n))
    normal -= normal.mean(0)
    shocks = normal @ np.linalg.inv(np.linalg.cholesky(normal.T @ normal / count)).T
    exact = total_requirements(scenarios.graph.matrix()) - np.eye(n)
    return scenarios._replace(shocks=shocks[..., None], response=shocks @ exact.T)


def drawn(rows: list[dict]) -> bytes:
    figure, axes = plt.subplots(figsize=(5.2, 3.8), layout="constrained")
    layers = sorted({r["layers"] for r in rows})
    top = [mean(r["ceiling"] for r in rows if r["layers"] == k) for k in layers]
    axes.step([*layers, layers[-1] + 1], [*top, top[-1]], where="post", color=GREY, lw=1.5, label="ceiling")
    axes.scatter([r["layers"] + 0.5 for r in rows], [r["R2"] for r in rows], s=22, color=BLUE, label="model, 3 seeds")
    for k, value in zip(layers, top, strict=True):
        axes.annotate(f"{value:.3f}", (k + 0.5, value), (0, 6), textcoords="offset points", ha="center", fontsize=8)
    axes.set_xticks([k + 0.5 for k in layers], [f"{k}" for k in layers])
    axes.set_xlabel("layers", fontsize=9)
    axes.set_ylabel("R2 on unseen graphs and shocks", fontsize=9)
    axes.set_ylim(0, 1.08)
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(fontsize=8, frameon=False, loc="lower right")
    return png(figure)


if __name__ == "__main__":
    main()
