"""Balanced accuracy where a class has no true image."""

from __future__ import annotations

import pytest
import torch
from torchmetrics.classification import MulticlassAccuracy

from benchmarks.image_folds import Fold, compare
from tests.vision.test_learning import classifier
from zoo.run.finish import OURS
from zoo.vision.scores import BalancedAccuracy


def test_a_class_without_true_images_does_not_count():
    said, true = torch.eye(4)[[0, 0, 1, 3, 2]], torch.tensor([0, 0, 1, 1, 1])  # 2 and 3 are only predicted
    metric = BalancedAccuracy(4)
    metric.update(said[:2], true[:2])
    metric.update(said[2:], true[2:])
    assert float(metric.compute()) == pytest.approx((1 + 1 / 3) / 2)
    model = classifier()
    model.begin(list("abcd"))
    metrics = model.new_metrics()
    metrics.update(said, true)
    assert float(metrics.compute()["balanced_accuracy"]) == pytest.approx((1 + 1 / 3) / 2)


def test_with_all_classes_it_is_the_macro_accuracy():
    generator = torch.Generator().manual_seed(0)
    said, true = torch.rand(200, 5, generator=generator), torch.randint(5, (200,), generator=generator)
    expected = MulticlassAccuracy(5, average="macro")(said, true)
    torch.testing.assert_close(BalancedAccuracy(5)(said, true), expected)


class Tables:
    def __init__(self):
        self.made = {}

    def table(self, title, rows):
        self.made[title] = {row["model"]: row["balanced accuracy"] for row in rows}


def test_the_tables_of_the_folds_count_only_classes_that_are_there():
    """Landscape images are of classes 0 and 1; a tenth is taken for 2, which only portraits are."""
    target = torch.tensor([0, 1] * 10 + [2] * 20)
    sizes = torch.tensor([[100, 200]] * 20 + [[200, 100]] * 20)
    said = torch.eye(3)[torch.where(torch.arange(40) % 10 == 0, 2, target)]
    report = Tables()
    compare(report, [Fold({OURS: said}, target, sizes, 1.0)], "")
    value, low, high = (float(x.strip("[],")) for x in report.made["landscape: 20 images"][OURS].split())
    assert value == pytest.approx((0.8 + 1) / 2, abs=1e-3) and low > 0.7 and high == 1
