"""Contacts by the protocol of direct coupling analysis: closest atoms nearer than 8 A, six columns apart or more.

    zoo datasets fetch attentiondca-pfam
    python -m benchmarks.dca [--families PF00014 PF00677]

Positive predictive value of the first pairs of each method, in the number of columns L; the curves go to
`benchmarks/results/dca.png`. These numbers must never stand beside those of `benchmarks.contacts`, whose contacts are
C-betas: far more pairs touch by their atoms. Settings are those of `benchmarks.contacts`; nothing was chosen here.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from matplotlib import pyplot as plt

from benchmarks.results import FOLDER, Report, options
from zoo.domain.cards import load_card
from zoo.domain.download import fetch
from zoo.domain.png import BLUE, GREY, INK, ORANGE, png
from zoo.proteins.couplings import contact_scores
from zoo.proteins.dca_protocol import LEAST_SEPARATION, TOUCH, ppv_curve, read_distances
from zoo.proteins.family_attention import family_maps, train_family_attention
from zoo.proteins.frequencies import frequencies
from zoo.proteins.meanfield import information_scores, meanfield_scores
from zoo.proteins.potts import potts_couplings
from zoo.proteins.reading import read_alignment
from zoo.proteins.weights import sequence_weights

FILES = {
    "PF00014": ("PF00014_mgap6.fasta.gz", "PF00014_struct.dat"),
    "PF00677": ("PF00677_full.fasta", "Atomic_distances_PF00677.dat"),
    "PF13354": ("PF13354_wo_ref_seqs.fasta.gz", "PF13354_struct.dat"),
}
COLOURS = {"MI + APC": GREY, "mean field": INK, "Potts": BLUE, "family attention": ORANGE}


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--families", nargs="*", choices=FILES, default=list(FILES), help="these alone")
    arguments = parser.parse_args()
    report = Report("dca", arguments)
    folder = fetch(load_card("attentiondca-pfam"), progress=False)
    curves: dict[str, dict[str, np.ndarray]] = {}
    rows = []
    for name in arguments.families:
        alignment, table = FILES[name]
        codes = read_alignment(folder / alignment).codes
        distance = read_distances(folder / table, codes.shape[1])
        curves[name] = {}
        for method, score in maps_of(codes).items():
            start = time.process_time()
            curve = curves[name][method] = ppv_curve(score(), distance)
            spent = time.process_time() - start
            length = codes.shape[1]
            rows.append({"family": name, "method": method, **{f"first {top}": curve[n - 1] for top, n in
                         (("L/2", length // 2), ("L", length), ("2 L", 2 * length))}, "CPU s": spent})  # fmt: skip
            print(rows[-1], flush=True)
        rows.append({"family": name, "method": "any pair", **dict.fromkeys(("first L/2", "first L", "first 2 L"),
                     curve[-1]), "CPU s": 0.0})  # fmt: skip
    report.table(
        f"Share nearer than {TOUCH:g} A by their closest atoms, {LEAST_SEPARATION} columns apart or more", rows
    )
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / "dca.png").write_bytes(picture(curves))
    report.write()


def maps_of(codes: np.ndarray) -> dict[str, Callable[[], np.ndarray]]:
    weights = sequence_weights(codes)
    counted = frequencies(codes, weights)
    return {
        "MI + APC": lambda: information_scores(counted),
        "mean field": lambda: meanfield_scores(counted),
        "Potts": lambda: contact_scores(potts_couplings(codes, weights)),
        "family attention": lambda: family_maps(train_family_attention(codes, weights)).scores,
    }


def picture(curves: dict[str, dict[str, np.ndarray]]) -> bytes:
    figure, axes = plt.subplots(
        1, len(curves), figsize=(3.4 * len(curves), 3.2), squeeze=False, sharey=True, layout="constrained"
    )
    for ax, (name, methods) in zip(axes[0], curves.items(), strict=True):
        for method, curve in methods.items():
            ax.plot(np.arange(1, len(curve) + 1), curve, color=COLOURS[method], lw=1.4, label=method)
        ax.set_xscale("log")
        ax.set_title(name, loc="left", fontsize=9)
        ax.set_xlabel("pairs, the surest first", fontsize=9)
        ax.spines[["top", "right"]].set_visible(False)
        ax.tick_params(labelsize=8)
    axes[0, 0].set_ylabel("positive predictive value", fontsize=9)
    axes[0, 0].legend(frameon=False, fontsize=8, loc="lower left")
    return png(figure)


if __name__ == "__main__":
    main()
