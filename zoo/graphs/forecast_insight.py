"""What a forecaster's attention says: how good it is beside simple forecasts, and whether the links matter to it.

The links are taken away from the trained model, and given to other agents: what that costs is what it had from them.
(Whether a model *trained* on shuffled links is as good is a question for a second run, joined=shuffled.)

Axes: S days, n agents, E links.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytorch_lightning as pl
import torch
from jaxtyping import Float
from matplotlib import pyplot as plt
from torch.utils.data import DataLoader

from zoo.attention import observe
from zoo.domain.insight import Figure, Insight, Table
from zoo.domain.png import BLUE, GREY, INK, png
from zoo.graphs import pictures
from zoo.graphs.accuracy import accuracy, accuracy_table, nearly_zero
from zoo.graphs.forecast_baselines import simple_forecasts
from zoo.graphs.graph import SupplyGraph
from zoo.graphs.influence import LinkWeights
from zoo.graphs.links import Links
from zoo.graphs.planted import shuffled
from zoo.graphs.relation_heads import mass_by_relation
from zoo.graphs.windows import SIMPLE, Windows

if TYPE_CHECKING:
    from zoo.graphs.forecast import Forecaster

SERIES_DRAWN, PAIRS = 6, 15
OURS = "attention"


def explain(model: Forecaster, data: pl.LightningDataModule | DataLoader) -> Insight:
    """Of the test part, or of a person's own series, of which the coming day is told."""
    model.eval()
    loader = data if isinstance(data, DataLoader) else data.test_dataloader()
    batch: Windows = model.transfer_batch_to_device(next(iter(loader)), model.device, 0)
    quantiles, weights = watched(model, batch)
    graph = batch.series.graph
    gates = model.encoder.relation_heads.gates.detach().cpu()
    mass = mass_by_relation(weights.mean(0), torch.from_numpy(graph.shares).float(), gates).numpy()
    tables, lines, scores = [], [], {}
    if not isinstance(data, DataLoader):
        tables, lines, scores = _judged(model, data)
    inside = float(weights.sum(-1).mean() / len(graph))
    scores["attention_between_agents"] = inside
    lines.append(f"{inside:.2f} of the attention is between agents, the rest on what is outside.")
    tables.append(Table("mixture", "Which simple forecasts are mixed", _mixed(model, batch), "Mean weights."))
    tables.append(Table("pairs", "Whom the forecasts look at", _pairs(graph, weights.mean((0, 1)).numpy())))
    figures = [
        Figure("forecasts", "Forecasts", _drawn(batch, quantiles), "Line: sales. Band: 10 % to 90 %, and the median.")
    ]
    if len(graph.relations) > 1 and mass.sum() > 0:
        figures.append(Figure("heads", "Heads and relations", pictures.draw_heads(mass, graph.relations)))
    table = pd.DataFrame(model.predictions(batch))
    return Insight(
        "\n".join(lines), tuple(tables), tuple(figures), {"forecasts.csv": table.to_csv(index=False)}, scores
    )


@torch.no_grad()
def watched(model: Forecaster, batch: Windows) -> tuple[Float[np.ndarray, "S n Q"], Float[torch.Tensor, "L H E"]]:
    """Forecasts, and the mean attention of each head at each link."""
    seen = LinkWeights(batch.links)
    with observe(model.backbone, seen):
        quantiles = model(batch)
    return quantiles.cpu().numpy(), torch.stack([w.mean(0).cpu() for w in seen.weights.values()])


@torch.no_grad()
def medians(model: Forecaster, loader: DataLoader, graph: SupplyGraph | None = None) -> Float[np.ndarray, "S n"]:
    """Of every day; with the links of `graph`, if given, in place of the series' own."""
    links = None if graph is None else Links.of([graph]).to(model.device)
    found = []
    for batch in loader:
        moved = model.transfer_batch_to_device(batch, model.device, 0)
        found.append(model(moved if links is None else moved._replace(links=links))[..., 1].cpu().numpy())
    return np.concatenate(found)


def _judged(model: Forecaster, data: pl.LightningDataModule) -> tuple[list[Table], list[str], dict[str, float]]:
    test, loader = data.part("test"), data.test_dataloader()
    series, start = test.series, min(test.days)
    sales = np.stack([series.values[day, :, 0] for day in test.days])
    past = series.values[:start, :, 0]
    ours = medians(model, loader)
    table = accuracy_table({OURS: ours, **simple_forecasts(data.fit_days(), test)}, sales, past)
    rare = int(nearly_zero(past).sum())
    changed = {"as trained": ours} | {name: medians(model, loader, g) for name, g in other_links(series.graph).items()}
    asked = pd.DataFrame([{"links": name, **accuracy(f, sales, past)} for name, f in changed.items()])
    best = table.iloc[1:].sort_values("MAE").iloc[0]
    mae = asked.set_index("links").MAE
    lines = [
        f"MAE {table.MAE[0]:.1f} units over {len(test)} days and {sales.shape[1]} series; the best simple forecast "
        f"({best.forecast}) has {best.MAE:.1f}.",
    ]
    if len(mae) > 1:
        lines.append(f"The trained model has {', '.join(f'{mae[k]:.1f} with {k}' for k in mae.index[1:])}.")
    say = f"Past days: the first {start}. {rare} of {sales.shape[1]} series sold on fewer than 20 % of them."
    tables = [
        Table("accuracy", "Forecasts", table, say),
        Table("links", "The trained model with other links", asked, "Nothing is trained again."),
    ]
    without = mae.get("links taken away", mae["as trained"])
    return tables, lines, {"mase": float(table.MASE[0]), "mae_without_links": float(without)}


def other_links(graph: SupplyGraph) -> dict[str, SupplyGraph]:
    """In place of its own, as far as they differ from these: all joined with all are so whoever stands where."""
    found = {
        "links taken away": graph.without(np.arange(len(graph.supplier))),
        "links of other agents": shuffled(graph, seed=1),
    }
    return {name: other for name, other in found.items() if not _same_links(graph, other)}


def _same_links(a: SupplyGraph, b: SupplyGraph) -> bool:
    return all(np.array_equal(getattr(a, part), getattr(b, part)) for part in ("supplier", "buyer", "shares"))


@torch.no_grad()
def _mixed(model: Forecaster, batch: Windows) -> pd.DataFrame:
    weight = model.mixture(batch).mean((0, 1)).cpu().numpy()
    return pd.DataFrame({"forecast": SIMPLE, "weight": weight}).sort_values("weight", ascending=False)


def _pairs(graph: SupplyGraph, weight: Float[np.ndarray, " E"]) -> pd.DataFrame:
    order = np.argsort(-weight)[:PAIRS]
    names, kinds = np.array(graph.names), np.array(graph.relations)
    shared = [", ".join(kinds[graph.shares[e] > 0]) for e in order]
    return pd.DataFrame(
        {
            "forecast of": names[graph.buyer[order]],
            "looks at": names[graph.supplier[order]],
            "attention": weight[order],
            "relations": shared,
        }
    )


def _drawn(batch: Windows, quantiles: Float[np.ndarray, "S n Q"]) -> bytes:
    """The largest series."""
    target = batch.target.cpu().numpy()
    largest = np.argsort(-batch.level.cpu().numpy().mean(0))[:SERIES_DRAWN]
    figure, axes = plt.subplots(2, 3, figsize=(11, 4.6), layout="constrained")
    days = [batch.series.dates[0] + pd.Timedelta(days=day) for day in batch.day]
    style = {"marker": "o", "ms": 3} if len(days) == 1 else {}
    for ax, i in zip(axes.flat, largest, strict=False):
        ax.fill_between(days, quantiles[:, i, 0], quantiles[:, i, 2], color=BLUE, alpha=0.18, lw=0)
        ax.plot(days, quantiles[:, i, 1], color=BLUE, lw=1.3, **style)
        ax.plot(days, target[:, i], color=INK, lw=0.9)
        ax.set_title(batch.series.graph.names[i], fontsize=9, loc="left")
        ax.tick_params(labelsize=7, colors=INK)
        ax.tick_params(axis="x", rotation=30)
        ax.spines[["top", "right"]].set_visible(False)
        ax.grid(axis="y", color=GREY, lw=0.3)
        ax.set_ylim(bottom=0)
    for ax in axes.flat[len(largest) :]:
        ax.axis("off")
    return png(figure)
