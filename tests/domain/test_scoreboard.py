"""The scoreboard against hand values, torchmetrics itself, the binomial distribution, and the clock."""

import time

import numpy as np
import pytest
import torch
from scipy import stats
from torchmetrics import MeanSquaredError, MetricCollection
from torchmetrics.classification import (
    BinaryAccuracy,
    BinaryAUROC,
    BinaryAveragePrecision,
    BinaryMatthewsCorrCoef,
)

from zoo.domain.scoreboard import scoreboard

ACCURACY = MetricCollection({"accuracy": BinaryAccuracy()})


def three() -> MetricCollection:
    return MetricCollection(
        {"mcc": BinaryMatthewsCorrCoef(), "auroc": BinaryAUROC(), "auprc": BinaryAveragePrecision()}
    )


def noisy(target: torch.Tensor, noise: float, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.sigmoid(2.0 * target - 1 + noise * torch.randn(len(target), generator=generator))


def test_values_by_hand():
    target = torch.tensor([1, 1, 0, 0, 1])
    board = scoreboard(
        {"good": torch.tensor([0.9, 0.8, 0.1, 0.2, 0.3]), "bad": torch.tensor([0.9, 0.1, 0.9, 0.2, 0.3])},
        target,
        ACCURACY,
        reference="bad",
        resamples=50,
    ).set_index("model")
    assert board.loc["good", "accuracy"] == pytest.approx(4 / 5)
    assert board.loc["bad", "accuracy"] == pytest.approx(2 / 5)
    assert board.loc["good", "accuracy_diff"] == pytest.approx(2 / 5)
    assert np.isnan(board.loc["bad", "accuracy_diff"])
    assert 0 <= board.loc["good", "accuracy_low"] <= 4 / 5 <= board.loc["good", "accuracy_high"] <= 1


def test_full_sample_values_are_torchmetrics_own():
    target = (torch.arange(211) % 3 == 0).long()
    output = noisy(target, 1.0, seed=1)
    (row,) = scoreboard({"model": output}, target, three(), resamples=5).to_dict("records")
    own = three()
    own.update(output, target)
    for name, value in own.compute().items():
        assert row[name] == pytest.approx(value.item(), abs=1e-7)


def test_interval_of_an_accuracy_is_the_binomial_one():
    n, hits = 400, 300  # the bootstrap distribution of a proportion is Binomial(n, 3/4) / n
    target = torch.ones(n, dtype=torch.long)
    output = (torch.arange(n) < hits).float()
    (row,) = scoreboard({"model": output}, target, ACCURACY, resamples=2000).to_dict("records")
    low, high = stats.binom.ppf([0.025, 0.975], n, hits / n) / n
    assert row["accuracy_low"] == pytest.approx(low, abs=0.006)
    assert row["accuracy_high"] == pytest.approx(high, abs=0.006)


def test_intervals_cover_the_truth():
    """100 samples from a known world: the 95 % interval holds the true accuracy in about 95 of them."""
    covered, truth = 0, 0.8
    for seed in range(100):
        generator = torch.Generator().manual_seed(seed)
        right = torch.rand(100, generator=generator) < truth
        target = torch.randint(2, (100,), generator=generator)
        output = torch.where(right, target, 1 - target).float()
        (row,) = scoreboard({"m": output}, target, ACCURACY, seed=seed, resamples=100).to_dict("records")
        covered += row["accuracy_low"] <= truth <= row["accuracy_high"]
    assert 88 <= covered <= 99


def test_paired_differences_share_their_draws():
    target = (torch.arange(300) % 2).long()
    output = noisy(target, 1.5, seed=2)
    twin, better = output.clone(), torch.where(torch.arange(300) < 12, target.float(), output)
    board = scoreboard(
        {"twin": twin, "base": output, "better": better}, target, three(), reference="base", resamples=200
    ).set_index("model")
    assert (board.loc["twin", ["auroc_diff", "auroc_diff_low", "auroc_diff_high"]] == 0).all()
    own = board.loc["better", "auroc_high"] - board.loc["better", "auroc_low"]
    paired = board.loc["better", "auroc_diff_high"] - board.loc["better", "auroc_diff_low"]
    assert paired < own / 2 and board.loc["better", "auroc_diff_low"] > 0


def test_seed_decides_everything_and_the_given_metrics_are_untouched():
    target = (torch.arange(60) % 2).long()
    metrics = three()
    metrics.update(noisy(target, 1.0, 0), target)
    before = {name: value.item() for name, value in metrics.compute().items()}
    boards = [scoreboard({"m": noisy(target, 2.0, 3)}, target, metrics, seed=s, resamples=30) for s in (5, 5, 6)]
    assert boards[0].equals(boards[1]) and not boards[0].equals(boards[2])
    assert {name: value.item() for name, value in metrics.compute().items()} == before


def test_draws_with_one_class_are_drawn_again():
    target = torch.tensor([1] + [0] * 9)  # a third of all draws would hold no positive
    output = torch.tensor([0.9] + [0.1] * 9)
    (row,) = scoreboard({"m": output}, target, three(), resamples=200).to_dict("records")
    assert row["auroc"] == row["auroc_low"] == row["auroc_high"] == 1


def test_regression_takes_float_targets():
    target = torch.linspace(0, 1, 50)
    board = scoreboard({"m": target + 0.1}, target, MetricCollection({"mse": MeanSquaredError()}), resamples=20)
    assert board.loc[0, "mse"] == pytest.approx(0.01, rel=1e-3)


def test_mistakes_are_sentences():
    with pytest.raises(ValueError, match="predicts 3 examples, the target has 4"):
        scoreboard({"m": torch.zeros(3)}, torch.zeros(4), ACCURACY)
    with pytest.raises(ValueError, match="not among the models: m"):
        scoreboard({"m": torch.zeros(4)}, torch.zeros(4), ACCURACY, reference="kmer")


def test_a_thousand_draws_of_four_models_take_seconds():
    target = (torch.arange(2000) % 2).long()
    predictions = {f"model {k}": noisy(target, 1.0 + k, seed=k) for k in range(4)}
    started = time.process_time()
    scoreboard(predictions, target, three(), reference="model 3", resamples=200)
    assert time.process_time() - started < 6  # a fifth of the thousand, which takes 5.8 s on one quiet core
