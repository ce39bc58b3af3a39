"""Sales orders of SupplyGraph's 41 products: the forecaster beside what a planner does by hand.

    python -m benchmarks.forecast
    python -m benchmarks.forecast --horizon 7

Rolling origin: every test day is forecast from all days up to `horizon` before it. The number of epochs is the one
with the lowest MAE, mean over seeds, on the last 34 days before the test, fitted on the days before those; then each
seed is fitted anew on all days before the test for so long. Nothing else is chosen, and the test is looked at once.
Simple forecasts are fitted on the same days. `joined`: the links given, those of other products, none, or all
products with all; each with its own number of epochs.
"""

from __future__ import annotations

import numpy as np
import pytorch_lightning as pl

from benchmarks.propagation import quiet_trainer
from benchmarks.results import Report, options
from zoo.attention import UniformBackbone
from zoo.domain.optim import AdamW
from zoo.graphs.accuracy import accuracy_table
from zoo.graphs.forecast import Forecaster
from zoo.graphs.forecast_baselines import simple_forecasts
from zoo.graphs.forecast_data import ProductSeries
from zoo.graphs.forecast_insight import medians
from zoo.graphs.series import RELATIONS, SIGNALS


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--horizon", type=int, default=1)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--epochs", type=int, default=30, help="the most (default: %(default)s)")
    parser.add_argument("--joined", nargs="+", default=["given", "shuffled", "none"])
    parser.add_argument("--test-from", type=int, default=187)
    arguments = parser.parse_args()
    report = Report(f"forecast_{arguments.horizon}_from_{arguments.test_from}", arguments)
    data = ProductSeries(horizon=arguments.horizon, test_from=arguments.test_from)
    test = data.part("test")
    sales = np.stack([test.series.values[day, :, 0] for day in test.days])
    past = test.series.values[: arguments.test_from, :, 0]
    chosen, errors = [], []
    forecasts = dict(simple_forecasts(data.fit_days(), test))
    for joined in arguments.joined:
        epochs, curve = choose(joined, arguments)
        found = [refitted(joined, epochs, seed, arguments) for seed in arguments.seeds]
        each = [float(np.abs(f - sales).mean()) for f in found]
        chosen.append({"joined": joined, "epochs": epochs, "validation MAE": min(curve)})
        errors.append({"joined": joined, "mean of seeds": np.mean(each), "sd": np.std(each, ddof=1), "each":
                       " ".join(f"{e:.1f}" for e in each)})  # fmt: skip
        forecasts[f"attention, links {joined}, ensemble of {len(found)}"] = np.mean(found, 0)
        for seed, one in zip(arguments.seeds, found, strict=True):
            forecasts[f"attention, links {joined}, seed {seed}"] = one
        print(chosen[-1], errors[-1], flush=True)
    table = accuracy_table(forecasts, sales, past)
    report.table("Epochs, chosen before the test", chosen)
    report.table("MAE of single seeds", errors)
    report.table(f"{arguments.horizon} day(s) ahead, {len(test)} days, all series", table.to_dict("records"))
    report.table("Against the links given: paired over days", paired(forecasts, sales, arguments))
    report.write()


def trained(
    joined: str, epochs: int, seed: int, refit: bool, arguments, watch=None
) -> tuple[Forecaster, ProductSeries]:
    """A schedule of `epochs` epochs, whether they were chosen or not."""
    pl.seed_everything(seed, verbose=False)
    data = ProductSeries(
        horizon=arguments.horizon, test_from=arguments.test_from, refit=refit, joined=joined, seed=seed
    )
    backbone = UniformBackbone(32, 2, 4, mlp_ratio=2.0, dropout=0.2)
    model = Forecaster(
        backbone, AdamW(1e-3, 0.05), [s.strip().lower() for s in SIGNALS], [r.lower() for r in RELATIONS],
        horizon=arguments.horizon,
    )  # fmt: skip
    quiet_trainer(epochs, [] if watch is None else [watch], valid=watch is not None).fit(model, data)
    return model.eval(), data


def choose(joined: str, arguments) -> tuple[int, list[float]]:
    """The epoch with the lowest validation MAE, mean over seeds."""
    curves = []
    for seed in arguments.seeds:
        watch = Curve()
        trained(joined, arguments.epochs, seed, False, arguments, watch)
        curves.append(watch.mae)
    mean = np.mean(curves, 0)
    return int(mean.argmin()) + 1, mean.tolist()


class Curve(pl.Callback):
    def __init__(self) -> None:
        self.mae: list[float] = []

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: Forecaster) -> None:
        self.mae.append(float(trainer.callback_metrics["valid/mae"]))


def refitted(joined: str, epochs: int, seed: int, arguments) -> np.ndarray:
    model, data = trained(joined, epochs, seed, True, arguments)
    return medians(model, data.test_dataloader())


def paired(forecasts: dict[str, np.ndarray], sales: np.ndarray, arguments) -> list[dict]:
    """Difference of the ensembles' MAE, with a 95 % bootstrap interval over test days."""
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
