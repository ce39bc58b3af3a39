"""Heads are relations: R = 3 kinds of relation, H = 1 to 4 heads, and how pure the heads are.

    python -m benchmarks.relations

Planted firms whose kinds of relation carry shocks of their own, one layer, unseen graphs and shocks. With learned gates
R2 cannot exceed min(H, R) / R: a head that listens to two kinds mixes in the shocks of the other. Purity: share of a
head's attention between agents that goes along its strongest relation, mean over heads; "kinds": how many relations are
some head's strongest. Learning rate 2e-3: at 4e-3 masked heads end in a local minimum (R2 .72 to .74, seeds 0 to 2),
where some answer a shock of -3 three times as strongly as one of +3.
"""

from __future__ import annotations

import numpy as np
import torch
from matplotlib import pyplot as plt

from benchmarks.propagation import scored, trained
from benchmarks.results import FOLDER, Report, options
from zoo.domain.png import BLUE, GREY, INK, png
from zoo.graphs.data import PlantedChains
from zoo.graphs.influence import influence
from zoo.graphs.relation_heads import mass_by_relation, purity

SETTINGS = [
    *((heads, "biased", 0.0) for heads in (1, 2, 3, 4)),
    (3, "biased", 0.02),
    (3, "masked", 0.0),
    (3, "unseen", 0.0),
]


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--epochs", type=int, default=30)
    arguments = parser.parse_args()
    report = Report("relations", arguments)
    found = [one(*setting, seed, arguments.epochs) for seed in arguments.seeds for setting in SETTINGS]
    report.table("Firms with three kinds of relation, on graphs that were never seen", [row for row, _ in found])
    report.write()
    FOLDER.joinpath("relations.png").write_bytes(drawn(found))


def one(heads: int, binding: str, weight: float, seed: int, epochs: int) -> tuple[dict, np.ndarray]:
    data = PlantedChains(kind="firms", seed=seed)
    model = trained(data, 1, heads, dim=48, epochs=epochs, seed=seed, lr=2e-3, binding=binding, purity=weight)
    test = data.part("test").scenarios
    gates = model.encoder.relation_heads.gates.detach()
    mass = sum(
        mass_by_relation(
            torch.from_numpy(influence(model, s.graph).weights.sum(0)).float(),
            torch.from_numpy(s.graph.shares).float(),
            gates,
        )
        for s in test
    )
    share = (mass / mass.sum(1, keepdim=True)).numpy()
    row = {
        "heads": heads, "binding": binding, "purity weight": weight, "seed": seed,
        "R2": scored(model, test, 1).model, "min(H, R) / R": min(heads, 3) / 3,
        "purity": float(purity(mass).mean()), "least pure head": float(purity(mass).min()),
        "kinds": len(set(share.argmax(1).tolist())),
    }  # fmt: skip
    print(row, flush=True)
    return row, share


def drawn(found: list[tuple[dict, np.ndarray]]) -> bytes:
    figure, axes = plt.subplots(1, 4, figsize=(11, 2.9), layout="constrained", width_ratios=[1.5, 1, 1, 1])
    free = [row for row, _ in found if row["binding"] == "biased" and row["purity weight"] == 0]
    axes[0].hlines([min(h, 3) / 3 for h in (1, 2, 3, 4)], [0.6, 1.6, 2.6, 3.6], [1.4, 2.4, 3.4, 4.4], color=GREY)
    axes[0].scatter([r["heads"] for r in free], [r["R2"] for r in free], s=20, color=BLUE, zorder=3)
    axes[0].set_xlabel("heads, learned gates; the line is min(H, 3) / 3", fontsize=8)
    axes[0].set_ylabel("R2", fontsize=8)
    axes[0].set_ylim(0, 1.08)
    axes[0].set_xticks([1, 2, 3, 4])
    axes[0].spines[["top", "right"]].set_visible(False)
    axes[0].tick_params(labelsize=8)
    shown = {"learned": ("biased", 0.0), "learned, purity asked": ("biased", 0.02), "masked": ("masked", 0.0)}
    for ax, (title, wanted) in zip(axes[1:], shown.items(), strict=True):
        row, share = next((r, s) for r, s in found if (r["binding"], r["purity weight"]) == wanted and r["heads"] == 3)
        share = share[np.argsort(share.argmax(1), kind="stable")]
        ax.imshow(share, cmap="Blues", vmin=0, vmax=1)
        for h, r in np.ndindex(*share.shape):
            dark = share[h, r] > 0.6
            ax.text(r, h, f"{share[h, r]:.2f}", ha="center", va="center", fontsize=8, color="white" if dark else INK)
        ax.set_title(f"{title}: R2 {row['R2']:.3f}", fontsize=9)
        ax.set_xticks(range(3), ["materials", "services", "energy"], fontsize=8)
        ax.set_yticks(range(3), [f"head {i + 1}" for i in range(3)], fontsize=8)
        ax.spines[:].set_visible(False)
        ax.tick_params(length=0)
    return png(figure)


if __name__ == "__main__":
    main()
