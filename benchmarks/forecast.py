"""Sales orders of SupplyGraph's 41 products: the forecaster beside what a planner does by hand.

    python -m benchmarks.forecast
    python -m benchmarks.forecast --horizon 7

Rolling origin: every test day is forecast from all days up to `horizon` before it. Each seed is fitted on all days
before the test. The error before the test is over four times 17 days (119 to 186), each fitted on all days before, mean
over two seeds; of several `--epochs` it chooses. Simple forecasts are fitted on the same days. `joined`: all products
with all, the links given, those of other products, or none. Series that sold on fewer than 20 % of the past days are
the "nearly zero" ones.
"""

from __future__ import annotations

import numpy as np
import pytorch_lightning as pl
from hydra import compose, initialize_config_dir

from benchmarks.propagation import quiet_trainer
from benchmarks.results import Report, options
from zoo.graphs.accuracy import accuracy_table
from zoo.graphs.forecast_baselines import simple_forecasts
from zoo.graphs.forecast_data import ProductSeries
from zoo.graphs.forecast_insight import medians
from zoo.run.instantiate import build
from zoo.run.paths import conf_dir

TEST_FROM, FOLDS = 187, (119, 136, 153, 170)


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--horizon", type=int, default=1)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--epochs", type=int, nargs="+", default=[10], help="to choose from")
    parser.add_argument("--joined", nargs="+", default=["all", "given", "shuffled", "none"])
    arguments = parser.parse_args()
    report = Report("forecast" if arguments.horizon == 1 else f"forecast_{arguments.horizon}_days", arguments)
    tried = [{"epochs": n, "MAE": rolling_error(n, arguments)} for n in arguments.epochs]
    epochs = min(tried, key=lambda row: row["MAE"])["epochs"]
    report.table(f"Before the test: links {arguments.joined[0]}, days {FOLDS[0]} to {TEST_FROM - 1}", tried)
    data = ProductSeries(horizon=arguments.horizon, test_from=TEST_FROM)
    test = data.part("test")
    sales = np.stack([test.series.values[day, :, 0] for day in test.days])
    past = test.series.values[:TEST_FROM, :, 0]
    errors = []
    forecasts = dict(simple_forecasts(data.fit_days(), test))
    for joined in arguments.joined:
        found = [fitted(joined, epochs, seed, arguments.horizon) for seed in arguments.seeds]
        each = [float(np.abs(f - sales).mean()) for f in found]
        ensemble = float(np.abs(np.mean(found, 0) - sales).mean())
        errors.append(
            {"links": joined, "mean of seeds": float(np.mean(each)), "sd": float(np.std(each, ddof=1)),
             "ensemble": ensemble, "each": " ".join(f"{e:.1f}" for e in each)}
        )  # fmt: skip
        forecasts[f"attention, links {joined}, ensemble of {len(found)}"] = np.mean(found, 0)
        for seed, one in zip(arguments.seeds, found, strict=True):
            forecasts[f"attention, links {joined}, seed {seed}"] = one
        print(errors[-1], flush=True)
    table = accuracy_table(forecasts, sales, past)
    report.table(f"MAE of the test, {epochs} epochs", errors)
    report.table(f"{arguments.horizon} day(s) ahead, {len(test)} days, all series", table.to_dict("records"))
    report.table(f"Against links {arguments.joined[0]}: paired over days", paired(forecasts, sales, arguments))
    report.write()


def rolling_error(epochs: int, arguments) -> float:
    """MAE over all folds, mean over two seeds."""
    errors = []
    for start in FOLDS:
        for seed in arguments.seeds[:2]:
            forecast = fitted(arguments.joined[0], epochs, seed, arguments.horizon, start, TEST_FROM - FOLDS[-1])
            test = ProductSeries(horizon=arguments.horizon, test_from=start, test_days=len(forecast)).part("test")
            errors.append(np.abs(forecast - [test.series.values[day, :, 0] for day in test.days]).mean())
    return float(np.mean(errors))


def fitted(
    joined: str, epochs: int, seed: int, horizon: int, test_from: int = TEST_FROM, test_days: int = 34
) -> np.ndarray:
    """Forecasts of the days from `test_from` on, by a model fitted on all days before."""
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        cfg = compose("train", [
            "experiment=forecast", f"seed={seed}", f"model.horizon={horizon}", f"data.joined={joined}",
            f"data.test_from={test_from}", f"data.test_days={test_days}", "data.refit=true", "logger=none",
        ])  # fmt: skip
    pl.seed_everything(seed, verbose=False)
    data, model = build(cfg.data), build(cfg.model)
    quiet_trainer(epochs).fit(model, data)
    return medians(model.eval(), data.test_dataloader())


def paired(forecasts: dict[str, np.ndarray], sales: np.ndarray, arguments) -> list[dict]:
    """Difference of the ensembles' MAE from that of the first, with a 95 % bootstrap interval over test days."""
    name = f"attention, links {{}}, ensemble of {len(arguments.seeds)}"
    given = np.abs(forecasts[name.format(arguments.joined[0])] - sales).mean(1)
    draws = np.random.default_rng(0).integers(0, len(given), (2000, len(given)))
    rows = []
    others = {j: forecasts[name.format(j)] for j in arguments.joined[1:]}
    others |= {k: forecasts[k] for k in ("4-week weekday mean", "gradient boosting, L1")}
    for joined, forecast in others.items():
        more = np.abs(forecast - sales).mean(1) - given
        low, high = np.quantile(more[draws].mean(1), [0.025, 0.975])
        rows.append({"other": joined, "its MAE is larger by": more.mean(), "low": low, "high": high})
    return rows


if __name__ == "__main__":
    main()
