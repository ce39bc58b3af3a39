"""Contacts from one alignment: four methods on the 28 families of Ollikainen & Kortemme.

    zoo datasets fetch kortemme-covariation
    python -m benchmarks.contacts [--tuning] [--families PF00013 PF00018]

It can be stopped and goes on with the same command.

Settings of family attention were chosen on families of `zoo.proteins.families.TUNING`, Potts has CCMpredPy's; the other
22 are scored. Long-range precision (24 residues apart and more, C-beta < 8 A), mean over families with a 95 % bootstrap
interval over families; `difference` is paired, to Potts. CPU seconds are of one family, all steps from the alignment on
but the reading.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.results import FOLDER, Report, options
from zoo.domain.cards import load_card
from zoo.domain.download import fetch
from zoo.proteins.couplings import contact_scores
from zoo.proteins.families import TUNING, Family, listed, read_families
from zoo.proteins.family_attention import FamilyMaps, FamilySettings, family_maps, train_family_attention
from zoo.proteins.frequencies import frequencies
from zoo.proteins.meanfield import information_scores, meanfield_scores
from zoo.proteins.pair_features import coupling_maps
from zoo.proteins.potts import PottsSettings, potts_couplings
from zoo.proteins.precision import ceilings, compared, long_range
from zoo.proteins.weights import sequence_weights

POTTS = "Potts (pseudo-likelihood)"
ATTENTION = "family attention"
MEAN = "family attention, mean of heads"
TOPS = ("L", "L/2", "L/5")
SETTINGS = f"{PottsSettings()} {FamilySettings()}"


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--tuning", action="store_true", help="the six tuning families instead of the 22")
    parser.add_argument("--families", nargs="*", help="these alone")
    arguments = parser.parse_args()
    report = Report("contacts_tuning" if arguments.tuning else "contacts", arguments)
    folder = fetch(load_card("kortemme-covariation"), progress=False)
    names = arguments.families or [row.name for row in listed(folder) if (row.name in TUNING) == arguments.tuning]
    rows = kept(report.name)
    done = {row["family"] for row in rows}
    for family in sorted(read_families(folder, names), key=work):
        if family.name not in done:
            rows += scored(family)
            keep(report.name, rows)
    table = pd.DataFrame(rows)
    table = table[table["family"].isin(names)]
    report.table(
        "Long-range precision", summary(table), "95 % intervals over families; differences are paired, to Potts"
    )
    report.table("CPU seconds of a family", seconds(table))
    report.table("Each family", each(table))
    report.write()


def scored(family: Family) -> list[dict]:
    """A row for each method on one family."""
    codes = family.alignment.codes
    rows = []

    def add(method: str, work: Callable[[], dict[str, np.ndarray]]) -> None:
        start = time.process_time()
        maps = work()
        spent = time.process_time() - start
        for name, score in ({method: maps} if isinstance(maps, np.ndarray) else maps).items():
            precision = dict(zip(TOPS, long_range(score, family.native), strict=True))
            rows.append({"family": family.name, "method": name, **precision, "CPU s": spent})
            print(rows[-1], flush=True)

    start = time.process_time()
    weights = sequence_weights(codes)
    counted = frequencies(codes, weights)
    before = time.process_time() - start
    add("MI + APC", lambda: information_scores(counted))
    add("mean field", lambda: meanfield_scores(counted))
    add(POTTS, lambda: contact_scores(potts_couplings(codes, weights)))
    trained: list[FamilyMaps] = []
    add(ATTENTION, lambda: attention_scores(codes, weights, trained))
    coupling_maps(family.alignment, family=trained[0])  # into the cache, for `benchmarks.predictor`
    best = dict(zip(TOPS, ceilings(family.native), strict=True))
    rows.append({"family": family.name, "method": "ceiling", **best, "CPU s": 0.0})
    shape = {"sequences": family.alignment.depth, "Meff": round(float(weights.sum())), "columns": codes.shape[1]}
    return [row | shape | {"CPU s": row["CPU s"] + before} for row in rows]


def attention_scores(codes: np.ndarray, weights: np.ndarray, trained: list[FamilyMaps]) -> dict[str, np.ndarray]:
    trained.append(maps := family_maps(train_family_attention(codes, weights)))
    return {ATTENTION: maps.scores, MEAN: maps.mean_attention}


def work(family: Family) -> int:
    """What its couplings cost, in their own unit; small families first."""
    return family.alignment.depth * family.alignment.length**2


def partial(name: str) -> Path:
    return FOLDER / f".{name}.partial.json"


def keep(name: str, rows: list[dict]) -> None:
    """What is done so far: the same command goes on from there, if the settings are the same."""
    FOLDER.mkdir(exist_ok=True)
    partial(name).write_text(json.dumps({"settings": SETTINGS, "rows": rows}))


def kept(name: str) -> list[dict]:
    found = json.loads(partial(name).read_text()) if partial(name).is_file() else {"settings": None}
    return found["rows"] if found["settings"] == SETTINGS else []


def summary(table: pd.DataFrame) -> list[dict]:
    families = sorted(table["family"].unique())
    by_method = {
        method: part.set_index("family").loc[families, list(TOPS)].to_numpy().tolist()
        for method, part in table.groupby("method", sort=False)
    }
    ceiling = by_method.pop("ceiling")
    found = compared(by_method, reference=POTTS)
    rows = []
    for _, row in found.iterrows():
        cells = {f"P@{top}": _interval(row, f"P@{top}") for top in TOPS}
        cells["difference at L"] = "" if row["model"] == POTTS else _interval(row, "P@L_diff")
        rows.append({"method": row["model"], **cells})
    best = np.mean(ceiling, axis=0)
    rows.append(
        {"method": "ceiling", **{f"P@{t}": f"{b:.3f}" for t, b in zip(TOPS, best, strict=True)}, "difference at L": ""}
    )
    return rows


def _interval(row: pd.Series, name: str) -> str:
    sign = "+" if name.endswith("_diff") else ""
    return f"{row[name]:{sign}.3f} [{row[f'{name}_low']:{sign}.3f}, {row[f'{name}_high']:{sign}.3f}]"


def seconds(table: pd.DataFrame) -> list[dict]:
    timed = table[table["method"] != "ceiling"].groupby("method", sort=False)["CPU s"]
    return [{"method": name, "median": float(part.median()), "most": float(part.max())} for name, part in timed]


def each(table: pd.DataFrame) -> list[dict]:
    wide = table.pivot(index=["family", "sequences", "Meff", "columns"], columns="method", values="L").reset_index()
    return wide[["family", "sequences", "Meff", "columns", *table["method"].unique()]].to_dict("records")


if __name__ == "__main__":
    main()
