"""Real input-output tables, which the model never saw: total requirements and what-ifs against Leontief's inverse.

    python -m benchmarks.tables

Trained on planted economies alone (30 sectors, all numbers drawn), asked about BEA 2017 (71 industries, labour, taxes,
capital) and WIOD 2014, USA and Germany (one relation: materials). Error of total requirements: sum of |gradient -
exact| over sum of exact, over all pairs of different agents. "Series": the same for the exact series cut off after as
many hops as the model has layers. What-if: a shock of 1 to one agent after the other; |model - exact| over |exact|,
by the number of hops. In these tables nearly everyone buys from everyone, so nearly all is one hop.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from benchmarks.propagation import r2, trained
from benchmarks.results import Report, options
from zoo.domain.cards import load_card
from zoo.domain.download import locate
from zoo.graphs.data import PlantedChains
from zoo.graphs.graph import SupplyGraph
from zoo.graphs.influence import influence
from zoo.graphs.input_output import cost_shares, read_bea, read_wiod, with_relations
from zoo.graphs.leontief import total_requirements, within_hops
from zoo.graphs.planted import ECONOMY, price_scenarios
from zoo.graphs.what_if import Disruption, per_hop, respond, what_if

USE, MAKE = "Summary_Use_2017_PRO_AfterRedef_17sch.csv", "Summary_Make_2017_AfterRedef_17sch.csv"


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--layers", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=15)
    arguments = parser.parse_args()
    report = Report("tables", arguments)
    graphs = {name: with_relations(g, ECONOMY) for name, g in real_tables().items()}
    rows, hops = [], []
    for seed in arguments.seeds:
        data = PlantedChains(kind="economy", num_graphs=60, held_out=1, seed=seed)
        model = trained(data, arguments.layers, 4, dim=32, epochs=arguments.epochs, seed=seed, binding="biased")
        for name, graph in graphs.items():
            rows.append({"table": name, "seed": seed, **requirements(model, graph, arguments.layers)})
            hops += [{"table": name, "seed": seed, **row} for row in disruptions(model, graph)]
            print(rows[-1], flush=True)
    report.table("Total requirements of real tables", rows)
    report.table("What-ifs, by hop", hops)
    report.write()


def real_tables() -> dict[str, SupplyGraph]:
    """Those that are here (ZOO_DATA). BEA's come as .rda; they are read once they lie beside it as CSV (pyreadr)."""
    found = {}
    bea = locate(load_card("bea-summary-2017"))
    if bea is not None and (bea / USE).exists():
        found["BEA 2017"] = cost_shares(read_bea(bea / USE, bea / MAKE))
    for name in ("usa", "deu"):
        folder = locate(load_card(f"wiod-niot-{name}"))
        if folder is not None:
            found[f"WIOD 2014 {name.upper()}"] = cost_shares(
                read_wiod(folder / f"{name.upper()}_NIOT_nov16.xlsx", 2014)
            )
    return found


def requirements(model, graph: SupplyGraph, layers: int) -> dict:
    w = graph.matrix()
    exact, others = total_requirements(w), ~np.eye(len(w), dtype=bool)
    found = influence(model, graph)
    gradient, series = found.gradient[..., 0], within_hops(w, layers)
    fresh = price_scenarios(graph, 100, seed=1)
    return {
        "r gradient": float(np.corrcoef(gradient[others], exact[others])[0, 1]),
        "r attention": float(np.corrcoef(found.attention[others], exact[others])[0, 1]),
        "error": float(np.abs(gradient - exact)[others].sum() / exact[others].sum()),
        "series": float(np.abs(series - exact)[others].sum() / exact[others].sum()),
        "one hop": float(np.abs(w - exact)[others].sum() / exact[others].sum()),
        "R2, fresh shocks": r2(respond(model, graph, fresh.shocks), fresh.response),
    }


def disruptions(model, graph: SupplyGraph) -> list[dict]:
    """Of every agent once."""
    nothing = np.zeros((len(graph), 1), dtype=np.float32)
    tables = [per_hop(what_if(model, graph, nothing, Disruption(j, shock=1.0), "prices")) for j in range(len(graph))]
    total = pd.concat(tables).groupby("hops")[["agents", "exact", "error"]].sum().reset_index()
    total["relative error"] = total.error / total.exact
    return total[total.hops > 0].astype({"hops": int, "agents": int}).to_dict("records")


if __name__ == "__main__":
    main()
